//! The picture of a study: learning curves of many trials, and the rates of the chosen ones.

use crate::chart::{Curve, Mark, MarkKind, Panel, Points, Role, Unit, Values};
use crate::dashboard::cx::Cx;
use crate::dashboard::data::curves::LearningCurve;
use crate::dashboard::data::rows::{Row, Rows};
use crate::dashboard::pen::Pen;
use crate::dashboard::screens::picture::{Picture, spans_decades};
use crate::dashboard::screens::steps::BYTES;
use crate::summary::known_direction;
use attune_protocol::{Bucket, Direction, Number, StudySummary, TrialState, ZoomQuery};
use ratatui::layout::Rect;

/// So many of the best and of those in training are drawn beside those that are looked at.
const BEST: usize = 20;
const RUNNING: usize = 20;

/// In so many stretches a rate is drawn: two a column on a usual terminal.
const STRETCHES: u32 = 200;

/// What they take on the wire, about.
pub(super) const RATE_BYTES: u64 = STRETCHES as u64 * BYTES;

/// The question for a trial's learning rate.
pub(super) fn rate_query() -> ZoomQuery {
    ZoomQuery {
        column: "lr".to_owned(),
        from: None,
        to: None,
        points: Some(STRETCHES),
    }
}

/// The trials whose curves are drawn, by number, each once.
pub(super) fn shown(rows: &Rows, direction: Direction, looked_at: &[u32]) -> Vec<u32> {
    let mut shown = looked_at.to_vec();
    let others = rows
        .best(direction, BEST)
        .into_iter()
        .chain(rows.running().take(RUNNING));
    for number in others {
        if !shown.contains(&number) {
            shown.push(number);
        }
    }
    shown
}

/// What is to be drawn.
pub(super) struct Drawing<'a> {
    pub(super) study: &'a StudySummary,
    pub(super) rows: &'a Rows,
    pub(super) metric: &'a str,
    pub(super) looked_at: &'a [u32],
}

/// A trial that is looked at, and what is known of it.
struct Chosen<'a> {
    label: String,
    curve: Option<&'a LearningCurve>,
    rate: Vec<Bucket>,
    marks: Vec<Mark>,
    value: Option<f64>,
}

impl Drawing<'_> {
    pub(super) fn draw(&self, pen: &mut Pen<'_>, area: Rect, picture: &mut Picture, cx: &Cx<'_>) {
        let title = self.metric.replace('_', " ");
        let chosen: Vec<Chosen<'_>> = self.looked_at.iter().map(|n| self.chosen(*n, cx)).collect();
        let mut curves = self.others(picture.unit, cx);
        curves.extend(chosen.iter().enumerate().filter_map(|(series, one)| {
            let curve = one.curve?;
            Some(Curve {
                x_scale: scale(curve, picture.unit),
                marks: &one.marks,
                value: one.value,
                ..Curve::new(&one.label, points(curve), Role::Chosen(series))
            })
        }));
        let rates = chosen
            .iter()
            .enumerate()
            .filter(|(_, one)| !one.rate.is_empty());
        let rates: Vec<Curve<'_>> = rates
            .map(|(series, one)| Curve {
                x_scale: one
                    .curve
                    .map_or(1.0, |curve| step_scale(curve, picture.unit)),
                stairs: true,
                value: one.rate.last().map(|bucket| bucket.last.0),
                ..Curve::new(&one.label, Points::Buckets(&one.rate), Role::Chosen(series))
            })
            .collect();
        let is_rate_log = spans_decades(rates.iter().map(|curve| curve.points));
        let is_log =
            self.metric.ends_with("loss") && spans_decades(curves.iter().map(|c| c.points));
        let mut panels = vec![Panel {
            weight: 3,
            log_y: picture.is_log(is_log),
            smoothing: picture.smoothing(),
            better: self.better(),
            missing: "curves are drawn from the first epoch on",
            ..Panel::new(&title, curves)
        }];
        if area.height >= 12 {
            panels.push(Panel {
                weight: 2,
                log_y: is_rate_log,
                values: Values::Rate,
                missing: "mark trials (space) to see their rates",
                ..Panel::new("learning rate", rates)
            });
        }
        let note = picture.note();
        let heading = format!("{} of {} trials", panels[0].curves.len(), self.rows.len());
        let note = if note.is_empty() {
            heading
        } else {
            format!("{heading}, {note}")
        };
        let inside = pen.heading(area, "Learning curves", &note);
        let guides = match picture.unit {
            Unit::Epoch => self.rungs(),
            Unit::Step | Unit::Seconds => Vec::new(),
        };
        picture.draw(pen, inside, panels, &guides);
    }

    /// Which way the drawn metric is better, if that is known.
    fn better(&self) -> Option<Direction> {
        let objective = format!("valid_{}", self.study.metric);
        if self.metric == objective {
            return Some(self.study.direction);
        }
        known_direction(self.metric)
    }

    fn chosen<'c>(&self, number: u32, cx: &Cx<'c>) -> Chosen<'c> {
        let row = self.rows.get(number);
        let scheduler = row.map_or("", |row| self.rows.scheduler(row));
        let trial = format!("{}.{number}", self.study.id);
        let mark = |kind| {
            move |epoch: u32| Mark {
                x: f64::from(epoch),
                kind,
            }
        };
        let rungs = row.map(|row| &*row.rungs).unwrap_or_default();
        let mut marks: Vec<Mark> = rungs.iter().copied().map(mark(MarkKind::Rung)).collect();
        marks.extend(row.and_then(|row| row.best_epoch).map(mark(MarkKind::Best)));
        let zoom = cx.data.zoom(&trial, &rate_query()).ready();
        let is_objective = self.metric == format!("valid_{}", self.study.metric);
        let value = row
            .map(|row| row.value)
            .filter(|value| is_objective && !value.is_nan());
        Chosen {
            label: format!("{trial} {scheduler}"),
            curve: cx.data.curves.get(&self.study.id, self.metric, number),
            rate: up_to_now(zoom.map_or(&[], |zoom| &zoom.buckets), row),
            marks,
            value,
        }
    }

    /// The best and those in training, beneath those that are looked at.
    fn others<'c>(&self, unit: Unit, cx: &Cx<'c>) -> Vec<Curve<'c>> {
        let all = shown(self.rows, self.study.direction, self.looked_at);
        let others = all
            .into_iter()
            .filter(|number| !self.looked_at.contains(number));
        others
            .filter_map(|number| {
                let curve = cx.data.curves.get(&self.study.id, self.metric, number)?;
                let state = self.rows.get(number)?.state;
                let role = match state {
                    TrialState::Stopped | TrialState::Diverged | TrialState::Failed => {
                        Role::Stopped
                    }
                    _ => Role::Other,
                };
                Some(Curve {
                    x_scale: scale(curve, unit),
                    ..Curve::new("", points(curve), role)
                })
            })
            .collect()
    }

    /// The epochs at which trials were looked at by the fidelity policy.
    fn rungs(&self) -> Vec<f64> {
        let mut rungs: Vec<u32> = Vec::new();
        for row in self.rows.rows() {
            for rung in &row.rungs {
                if !rungs.contains(rung) {
                    rungs.push(*rung);
                }
            }
        }
        rungs.into_iter().map(f64::from).collect()
    }
}

/// A rate, up to the last epoch that was told of: of a trial in training it is asked for seldom.
fn up_to_now(told: &[Bucket], row: Option<&Row>) -> Vec<Bucket> {
    let mut rate = told.to_vec();
    let last = told.last().map(|bucket| bucket.to);
    if let (Some(last), Some(row)) = (last, row)
        && row.steps > last + 1
        && row.rate.is_finite()
    {
        let now = Number(row.rate);
        rate.push(Bucket {
            from: row.steps - 1,
            to: row.steps,
            min: now,
            mean: now,
            max: now,
            last: now,
        });
    }
    rate
}

fn points(curve: &LearningCurve) -> Points<'_> {
    Points::Columns {
        xs: &curve.epochs,
        ys: &curve.values,
    }
}

/// What an epoch is along an axis.
fn scale(curve: &LearningCurve, unit: Unit) -> f64 {
    match unit {
        Unit::Epoch => 1.0,
        Unit::Step => curve.steps_per_epoch,
        Unit::Seconds => curve.seconds_per_epoch,
    }
}

/// What a step is along an axis.
fn step_scale(curve: &LearningCurve, unit: Unit) -> f64 {
    let steps = curve.steps_per_epoch.max(1.0);
    scale(curve, unit) / steps
}
