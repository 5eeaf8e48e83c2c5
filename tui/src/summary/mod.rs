//! Pages about studies and trials, as they are printed once.

mod compare;
mod leaderboard;
mod studies;
mod trial;

pub use compare::{Objective, compare};
pub use leaderboard::leaderboard;
pub use studies::study_list;
pub use trial::trial_page;

use crate::plot::{PlotOptions, Series, Size, curve_lines};
use crate::style::{Ink, Style};
use attune_protocol::{Curve, Direction};
use ratatui::text::{Line, Span};

/// Below this many columns pages are cut rather than squeezed further.
const LEAST_WIDTH: usize = 10;

/// Lines of a plot that has the page's width.
const PLOT_HEIGHT: usize = 16;

/// A page is never made for less room than this; nothing could be read there.
fn room(width: usize) -> usize {
    width.max(LEAST_WIDTH)
}

/// A metric's name with an arrow or words to say which way is better.
fn metric_title(metric: &str, direction: Direction, style: Style) -> String {
    match (direction, style.unicode) {
        (Direction::Minimize, true) => format!("{metric} ↓"),
        (Direction::Maximize, true) => format!("{metric} ↑"),
        (_, false) => metric.to_owned(),
    }
}

/// Which way is better for the metrics that Attune itself measures; `None` for others.
pub(crate) fn known_direction(metric: &str) -> Option<Direction> {
    let name = metric
        .trim_start_matches("valid_")
        .trim_start_matches("train_")
        .trim_start_matches("test_");
    match name {
        "accuracy" | "balanced_accuracy" | "f1" | "auc" | "r2" | "demographic_parity_ratio" => {
            Some(Direction::Maximize)
        }
        "loss"
        | "error"
        | "rmse"
        | "mae"
        | "calibration_error"
        | "perplexity"
        | "demographic_parity_difference"
        | "equal_opportunity_difference"
        | "equalized_odds_difference"
        | "mean_prediction_difference"
        | "mae_difference" => Some(Direction::Minimize),
        _ => None,
    }
}

/// Learning rates are the step curves called `lr`, or `lr.GROUP` where a model has groups.
fn is_rate(curve: &Curve) -> bool {
    is_rate_column(&curve.name)
}

pub(crate) fn is_rate_column(name: &str) -> bool {
    name == "lr" || name.starts_with("lr.")
}

/// What a scheduler was shown, in a curve of it: `grad_norm_sq` of `signal.grad_norm_sq.0`, and the
/// parameter group.
fn shown_signal(curve: &Curve) -> Option<(&str, &str)> {
    let name = curve.name.strip_prefix("signal.")?;
    Some(name.split_once('.').unwrap_or((name, "")))
}

/// A plot as part of a page, an empty line before it. A logarithmic axis is taken where the values
/// span more than two powers of ten, since a linear one would show only the largest.
fn plot(series: &[Series], labels: (&str, &str), width: usize, style: Style) -> Vec<Line<'static>> {
    let options = PlotOptions {
        log_y: spans_decades(series),
        x_label: labels.0.to_owned(),
        y_label: labels.1.to_owned(),
    };
    let size = Size {
        width,
        height: PLOT_HEIGHT,
    };
    let mut lines = vec![Line::default()];
    lines.extend(curve_lines(series, size, &options, style));
    lines
}

/// Whether positive values make up nearly all of the curves and span two powers of ten. The lowest
/// tenth of them is not looked at: a rate that runs out to zero at its end needs no such axis.
fn spans_decades(series: &[Series]) -> bool {
    let points = series.iter().flat_map(|series| &series.points);
    let finite: Vec<f64> = points
        .map(|point| point.1)
        .filter(|value| value.is_finite())
        .collect();
    let mut positive: Vec<f64> = finite
        .iter()
        .copied()
        .filter(|value| *value > 0.0)
        .collect();
    if positive.is_empty() || positive.len() * 10 < finite.len() * 9 {
        return false;
    }
    let high = positive.iter().copied().fold(0.0, f64::max);
    let tenth = positive.len() / 10;
    let (_, low, _) = positive.select_nth_unstable_by(tenth, f64::total_cmp);
    high / *low >= 100.0
}

/// `label  fact`, the labels in a column of their own.
fn fact(label: &str, value: String, columns: usize, style: Style) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!("{label:<columns$}  "), style.ink(Ink::Dim)),
        Span::raw(value),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_which_way_every_metric_of_attune_is_better() {
        for name in [
            "loss",
            "error",
            "rmse",
            "mae",
            "calibration_error",
            "perplexity",
            "equalized_odds_difference",
        ] {
            assert_eq!(known_direction(name), Some(Direction::Minimize), "{name}");
        }
        for name in [
            "accuracy",
            "balanced_accuracy",
            "f1",
            "auc",
            "r2",
            "demographic_parity_ratio",
        ] {
            let valid = format!("valid_{name}");
            assert_eq!(known_direction(&valid), Some(Direction::Maximize), "{name}");
        }
        assert_eq!(known_direction("score"), None);
    }
}
