//! The curves of a trial: a metric, the loss at each step and the rate, on one x axis.

use super::known::Known;
use crate::chart::{Curve, Mark, MarkKind, Panel, Points, Role, Values};
use crate::dashboard::cx::Cx;
use crate::dashboard::pen::Pen;
use crate::dashboard::screens::Wants;
use crate::dashboard::screens::picture::{Picture, spans_decades};
use crate::dashboard::screens::steps::Sight;
use crate::summary::{is_rate_column, known_direction};
use attune_protocol::{Direction, TrialState};
use ratatui::layout::Rect;

/// From this height on the loss is drawn beside another metric.
const TALL: u16 = 20;

/// From this height on the rate is drawn.
const LEAST: u16 = 8;

/// What signals are called among the columns of steps.
pub(super) const SIGNAL: &str = "signal.";

/// What can be drawn in the first panel: metrics by epoch, those of training and validation rows
/// together, and what was recorded at each step. The objective comes first, then the loss.
pub(super) fn metrics(known: &Known<'_>) -> Vec<String> {
    let objective = known.study.map_or("loss", |study| &study.metric);
    let mut names = vec![objective.to_owned(), "loss".to_owned()];
    let detail = known.detail.ready();
    let epochs = detail.into_iter().flat_map(|detail| &detail.epoch_curves);
    let mut others: Vec<String> = epochs.map(|curve| base(&curve.name).to_owned()).collect();
    others.sort();
    let columns = known.columns();
    let steps = columns.into_iter().filter(|name| !is_rate_column(name));
    others.extend(steps.map(str::to_owned));
    for name in others {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.dedup();
    names
}

/// A metric's name without the rows that it was measured on.
fn base(name: &str) -> &str {
    let parts = ["train_", "valid_"];
    let found = parts.iter().find_map(|part| name.strip_prefix(part));
    found.unwrap_or(name)
}

/// What is drawn.
pub(super) struct Drawing<'a> {
    pub(super) known: Known<'a>,
    /// The metric of the first panel; nothing for only loss and rate, in little room.
    pub(super) metric: Option<&'a str>,
    pub(super) sight: Sight,
}

/// A curve before it is drawn.
struct Line<'a> {
    label: String,
    points: Points<'a>,
    scale: f64,
    series: usize,
    marks: Vec<Mark>,
    stairs: bool,
    value: Option<f64>,
}

/// A panel before it is drawn.
struct Sheet<'a> {
    title: String,
    lines: Vec<Line<'a>>,
    weight: u16,
    values: Values,
    better: Option<Direction>,
    missing: &'static str,
}

/// Which colour and marker is whose, in every panel.
const VALID: usize = 0;
const TRAIN: usize = 1;
const STEP: usize = 2;
const RATE: usize = 3;

impl<'a> Drawing<'a> {
    pub(super) fn wants(&self, wants: &mut Wants, cx: &Cx<'_>) {
        let known = &self.known;
        let signal = self.metric.filter(|metric| self.is_column(metric));
        let mut columns = known.rates();
        columns.push("loss");
        columns.extend(signal.filter(|column| *column != "loss"));
        let steps = (known.steps(), known.is_running());
        for column in columns {
            self.sight.want(wants, cx.data, known.id, column, steps);
        }
        // While it trains epochs are told of one by one, and make these curves longer.
        if let Some(metric) = self.metric.filter(|_| known.is_running()) {
            for name in self.names(metric) {
                wants.curves(known.study_id(), &name, vec![known.number]);
            }
        }
    }

    pub(super) fn draw(&self, pen: &mut Pen<'_>, area: Rect, picture: &mut Picture, cx: &Cx<'_>) {
        let mut sheets = Vec::new();
        if let Some(metric) = self.metric {
            sheets.push(self.metric_sheet(metric, picture, cx));
        }
        if self.metric != Some("loss") && (area.height >= TALL || self.metric.is_none()) {
            sheets.push(Sheet {
                weight: 2,
                ..self.metric_sheet("loss", picture, cx)
            });
        }
        if area.height >= LEAST {
            sheets.push(self.rate_sheet(picture, cx));
        }
        let panels = sheets.iter().enumerate().map(|(index, sheet)| {
            let curves: Vec<Curve<'_>> = sheet.lines.iter().map(Line::curve).collect();
            let is_rate = sheet.values == Values::Rate;
            let is_low = sheet.better == Some(Direction::Minimize);
            let by_itself = (is_rate || is_low) && spans_decades(curves.iter().map(|c| c.points));
            Panel {
                log_y: match index {
                    0 => picture.is_log(by_itself),
                    _ => by_itself,
                },
                smoothing: if is_rate { 0.0 } else { picture.smoothing() },
                weight: sheet.weight,
                values: sheet.values,
                missing: sheet.missing,
                ..Panel::new(&sheet.title, curves)
            }
        });
        let panels = panels.collect();
        picture.draw(pen, area, panels, &[]);
    }

    /// The names under which a metric is recorded by epoch.
    fn names(&self, metric: &str) -> Vec<String> {
        let names = [
            format!("valid_{metric}"),
            format!("train_{metric}"),
            metric.to_owned(),
        ];
        let is_told = |name: &String| {
            let detail = self.known.detail.ready();
            detail.is_some_and(|detail| detail.epoch_curves.iter().any(|c| c.name == *name))
        };
        let mut told: Vec<String> = names.iter().filter(|name| is_told(name)).cloned().collect();
        if told.is_empty() && !self.is_column(metric) {
            // Nothing was told yet: these are what there mostly is.
            told = names[..2].to_vec();
        }
        told
    }

    fn is_column(&self, metric: &str) -> bool {
        metric.starts_with(SIGNAL) || self.known.columns().contains(&metric)
    }

    /// A metric by epoch, and by step where it was recorded so.
    fn metric_sheet(&self, metric: &str, picture: &Picture, cx: &Cx<'a>) -> Sheet<'a> {
        let known = &self.known;
        let mut lines = Vec::new();
        if self.is_column(metric) {
            let points = self.column(metric, cx);
            lines.extend((!points.is_empty()).then(|| Line {
                label: "at each step".to_owned(),
                points,
                scale: known.per_step(picture.unit),
                series: STEP,
                marks: self.marks(1.0),
                stairs: false,
                value: None,
            }));
        }
        for name in self.names(metric).into_iter().rev() {
            let Some(points) = self.epochs(&name, cx) else {
                continue;
            };
            let is_train = name.starts_with("train_");
            let is_judged = !is_train && known.study.is_some_and(|study| study.metric == metric);
            lines.push(Line {
                points,
                scale: known.per_epoch(picture.unit),
                series: if is_train { TRAIN } else { VALID },
                marks: match is_train {
                    true => Vec::new(),
                    false => self.marks(1.0 / known.steps_per_epoch().max(1.0)),
                },
                stairs: false,
                value: known.best().filter(|_| is_judged).map(|(value, _)| value),
                label: name.replace('_', " "),
            });
        }
        let objective = known.study.filter(|study| study.metric == metric);
        let title = metric.strip_prefix(SIGNAL).unwrap_or(metric);
        Sheet {
            title: match metric.starts_with(SIGNAL) {
                true => format!("{title}, as the scheduler saw it"),
                false => title.replace('_', " "),
            },
            lines,
            weight: 3,
            values: Values::Metric,
            better: objective
                .map(|study| study.direction)
                .or_else(|| known_direction(metric)),
            missing: match known.detail.ready() {
                None => "on its way",
                Some(_) => "drawn from the first epoch on",
            },
        }
    }

    fn rate_sheet(&self, picture: &Picture, cx: &Cx<'a>) -> Sheet<'a> {
        let rates = self.known.rates();
        let lines = rates.iter().enumerate().filter_map(|(index, column)| {
            let points = self.column(column, cx);
            (!points.is_empty()).then(|| Line {
                label: match column.strip_prefix("lr.") {
                    None if rates.len() == 1 => "rate".to_owned(),
                    None => "group 0".to_owned(),
                    Some(group) => format!("group {group}"),
                },
                points,
                scale: self.known.per_step(picture.unit),
                series: RATE + index,
                marks: match index {
                    0 => self.marks(1.0),
                    _ => Vec::new(),
                },
                stairs: true,
                value: None,
            })
        });
        Sheet {
            title: "learning rate".to_owned(),
            lines: lines.collect(),
            weight: 2,
            values: Values::Rate,
            better: None,
            missing: "no step yet",
        }
    }

    /// A metric by epoch: what was told as it went, if that is more than the record has.
    fn epochs(&self, name: &str, cx: &Cx<'a>) -> Option<Points<'a>> {
        let known = &self.known;
        let detail = known.detail.ready();
        let record = detail.and_then(|d| d.epoch_curves.iter().find(|curve| curve.name == name));
        let live = cx.data.curves.get(known.study_id(), name, known.number);
        let record_end = record.and_then(|curve| curve.points.last());
        let live_end = live.and_then(|curve| curve.epochs.last());
        match (live, live_end, record_end) {
            (Some(curve), Some(end), before) if before.is_none_or(|before| *end > before.0.0) => {
                Some(Points::Columns {
                    xs: &curve.epochs,
                    ys: &curve.values,
                })
            }
            _ => record.map(|curve| Points::Numbers(&curve.points)),
        }
    }

    /// A column of its steps, as sharp as it is there.
    fn column(&self, name: &str, cx: &Cx<'a>) -> Points<'a> {
        let buckets = self.sight.buckets(cx.data, self.known.id, name);
        if !buckets.is_empty() {
            return Points::Buckets(buckets);
        }
        let detail = self.known.detail.ready();
        let record = detail.and_then(|d| d.step_curves.iter().find(|curve| curve.name == name));
        Points::Numbers(record.map_or(&[], |curve| &curve.points))
    }

    /// What happened to it, at its steps times `scale`.
    fn marks(&self, scale: f64) -> Vec<Mark> {
        let Some(trial) = self.known.trial() else {
            return Vec::new();
        };
        let per_epoch = self.known.steps_per_epoch();
        let at_step = |step: u64, kind| Mark {
            x: step as f64 * scale,
            kind,
        };
        let at_epoch = |epoch: u32, kind| Mark {
            x: f64::from(epoch) * per_epoch * scale,
            kind,
        };
        let mut marks: Vec<Mark> = trial
            .checkpoints
            .iter()
            .map(|checkpoint| at_step(checkpoint.step, MarkKind::Checkpoint))
            .collect();
        marks.extend(
            trial
                .rungs
                .iter()
                .map(|rung| at_epoch(*rung, MarkKind::Rung)),
        );
        marks.extend(
            self.known
                .best()
                .and_then(|(_, epoch)| epoch)
                .map(|epoch| at_epoch(epoch, MarkKind::Best)),
        );
        let by_hand = trial.interventions.iter();
        marks.extend(by_hand.map(|done| at_step(done.step, MarkKind::Intervention)));
        let last = self.known.steps().saturating_sub(1);
        match self.known.state() {
            Some(TrialState::Paused) => marks.push(at_step(last, MarkKind::Pause)),
            Some(TrialState::Stopped | TrialState::Diverged | TrialState::Failed) => {
                marks.push(at_step(last, MarkKind::End));
            }
            _ => {}
        }
        marks
    }
}

impl Line<'_> {
    fn curve(&self) -> Curve<'_> {
        Curve {
            x_scale: self.scale,
            marks: &self.marks,
            stairs: self.stairs,
            value: self.value,
            ..Curve::new(&self.label, self.points, Role::Chosen(self.series))
        }
    }
}
