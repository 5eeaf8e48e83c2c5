//! The curves of a comparison, one above the other on one x axis.

use super::one::One;
use crate::chart::{Curve, Panel, Points, Role, Values};
use crate::dashboard::cx::Cx;
use crate::dashboard::pen::Pen;
use crate::dashboard::screens::Wants;
use crate::dashboard::screens::picture::{Picture, spans_decades};
use crate::dashboard::screens::steps::Sight;
use crate::summary::known_direction;
use attune_protocol::{Bucket, Direction, Number};
use ratatui::layout::Rect;
use std::collections::BTreeSet;

/// From this height on the rates are drawn.
const TALL: u16 = 10;

/// What can be drawn: the objective of the first trial first.
pub(super) fn metrics(ones: &[One<'_>]) -> Vec<String> {
    let details = ones.iter().filter_map(|one| one.detail.ready());
    let names: BTreeSet<&str> = details
        .flat_map(|detail| &detail.epoch_curves)
        .map(|curve| curve.name.as_str())
        .collect();
    let objective = ones.iter().find_map(|one| one.study);
    let objective = objective.map_or_else(String::new, |study| format!("valid_{}", study.metric));
    let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    names.sort_by_key(|name| *name != objective);
    names
}

/// What is drawn.
pub(super) struct Drawing<'d, 'a> {
    pub(super) ones: &'d [One<'a>],
    pub(super) metric: &'d str,
}

/// The points of a curve, as they came or moved so that they begin elsewhere.
enum Shape<'a> {
    Lent(Points<'a>),
    Pairs(Vec<(f64, f64)>),
    Buckets(Vec<Bucket>),
}

/// A curve before it is drawn.
struct Line<'a> {
    label: String,
    shape: Shape<'a>,
    scale: f64,
    series: usize,
    value: Option<f64>,
}

impl<'a> Drawing<'_, 'a> {
    /// A stretch of the rates that is looked at closer is asked for.
    pub(super) fn wants(&self, picture: &Picture, wants: &mut Wants, cx: &Cx<'_>) {
        for one in self.ones {
            if let (Some(sight), Some(trial)) = (sight(one, picture), one.trial()) {
                let steps = (trial.steps, one.is_running());
                sight.want_seen(wants, cx.data, &one.id, "lr", steps);
            }
        }
    }

    pub(super) fn draw(&self, pen: &mut Pen<'_>, area: Rect, picture: &mut Picture, cx: &Cx<'a>) {
        let metric = self.metric_lines(picture);
        let rates = self.rate_lines(picture, cx);
        let title = self.metric.replace('_', " ");
        let curves: Vec<Curve<'_>> = metric.iter().map(|line| line.curve(false)).collect();
        let better = self.better();
        let is_log = better == Some(Direction::Minimize)
            && spans_decades(curves.iter().map(|curve| curve.points));
        let mut panels = vec![Panel {
            weight: 3,
            log_y: picture.is_log(is_log),
            smoothing: picture.smoothing(),
            better,
            missing: "drawn from the first epoch on",
            ..Panel::new(&title, curves)
        }];
        if area.height >= TALL {
            let curves: Vec<Curve<'_>> = rates.iter().map(|line| line.curve(true)).collect();
            panels.push(Panel {
                weight: 2,
                log_y: spans_decades(curves.iter().map(|curve| curve.points)),
                values: Values::Rate,
                missing: "no step yet",
                ..Panel::new("learning rate", curves)
            });
        }
        picture.draw(pen, area, panels, &[]);
    }

    /// Which way the drawn metric is better, if that is known for all.
    fn better(&self) -> Option<Direction> {
        let own = self.metric.trim_start_matches("valid_");
        let study = self.ones.iter().filter_map(|one| one.study);
        let judged = study.into_iter().find(|study| study.metric == own);
        judged
            .map(|study| study.direction)
            .or_else(|| known_direction(self.metric))
    }

    fn metric_lines(&self, picture: &Picture) -> Vec<Line<'a>> {
        let lines = self.ones.iter().enumerate().filter_map(|(series, one)| {
            let curve = one.epoch_curve(self.metric)?;
            let per_step = one.per_step(picture.unit);
            let steps = one.steps_per_epoch();
            let (shape, scale) = match one.shift {
                0 => (
                    Shape::Lent(Points::Numbers(&curve.points)),
                    steps * per_step,
                ),
                shift => (Shape::Pairs(moved(&curve.points, steps, shift)), per_step),
            };
            let is_judged = one
                .study
                .is_some_and(|study| self.metric == format!("valid_{}", study.metric));
            let value = one.trial()?.value.filter(|_| is_judged);
            Some(Line {
                label: one.label(),
                shape,
                scale,
                series,
                value: value.map(|value| value.0),
            })
        });
        lines.collect()
    }

    fn rate_lines(&self, picture: &Picture, cx: &Cx<'a>) -> Vec<Line<'a>> {
        let lines = self.ones.iter().enumerate().filter_map(|(series, one)| {
            let sight = sight(one, picture);
            let buckets = sight.map(|sight| sight.buckets(cx.data, &one.id, "lr"));
            let buckets = buckets.filter(|buckets| !buckets.is_empty());
            let shape = match (buckets, one.shift) {
                (Some(buckets), 0) => Shape::Lent(Points::Buckets(buckets)),
                (Some(buckets), shift) => Shape::Buckets(moved_buckets(buckets, shift)),
                (None, 0) => Shape::Lent(Points::Numbers(&one.rate()?.points)),
                (None, shift) => Shape::Pairs(moved(&one.rate()?.points, 1.0, shift)),
            };
            Some(Line {
                label: one.label(),
                shape,
                scale: one.per_step(picture.unit),
                series,
                value: None,
            })
        });
        lines.collect()
    }
}

/// The steps of a trial that are in sight, where that is not all of them.
fn sight(one: &One<'_>, picture: &Picture) -> Option<Sight> {
    let (from, to) = picture.x_range()?;
    let per_step = one.per_step(picture.unit);
    let shift = one.shift as f64;
    let range = (from / per_step + shift, to / per_step + shift);
    let steps = one.trial()?.steps;
    Some(Sight::new(Some(range), picture.columns(), steps))
}

/// Points whose x is `each` steps, from a step on, counted from there.
fn moved(points: &[(Number, Number)], each: f64, shift: u64) -> Vec<(f64, f64)> {
    let shift = shift as f64;
    let points = points.iter().map(|(x, y)| (x.0 * each - shift, y.0));
    points.filter(|(x, _)| *x >= 0.0).collect()
}

fn moved_buckets(buckets: &[Bucket], shift: u64) -> Vec<Bucket> {
    let after = buckets.iter().filter(|bucket| bucket.from >= shift);
    after
        .map(|bucket| Bucket {
            from: bucket.from - shift,
            to: bucket.to.saturating_sub(shift),
            ..*bucket
        })
        .collect()
}

impl Line<'_> {
    fn curve(&self, stairs: bool) -> Curve<'_> {
        let points = match &self.shape {
            Shape::Lent(points) => *points,
            Shape::Pairs(pairs) => Points::Pairs(pairs),
            Shape::Buckets(buckets) => Points::Buckets(buckets),
        };
        Curve {
            x_scale: self.scale,
            stairs,
            value: self.value,
            ..Curve::new(&self.label, points, Role::Chosen(self.series))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_before_a_fork_is_left_out() {
        let points: Vec<(Number, Number)> = (1..=4)
            .map(|n| (Number(f64::from(n)), Number(0.5)))
            .collect();
        assert_eq!(
            moved(&points, 10.0, 20),
            [(0.0, 0.5), (10.0, 0.5), (20.0, 0.5)]
        );
        let bucket = |from, to| Bucket {
            from,
            to,
            min: Number(1.0),
            mean: Number(1.0),
            max: Number(1.0),
            last: Number(1.0),
        };
        let buckets = moved_buckets(&[bucket(0, 9), bucket(10, 19), bucket(20, 29)], 10);
        let ends: Vec<(u64, u64)> = buckets.iter().map(|b| (b.from, b.to)).collect();
        assert_eq!(ends, [(0, 9), (10, 19)]);
    }
}
