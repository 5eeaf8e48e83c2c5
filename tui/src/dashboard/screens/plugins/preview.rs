//! What a schedule would be: its rate by step, and beneath it the loss that it was shown.

use super::about::say;
use super::values::Values;
use crate::chart::{Curve, Panel, Points, Role, Values as Written};
use crate::dashboard::cx::Cx;
use crate::dashboard::data::want::Loaded;
use crate::dashboard::pen::Pen;
use crate::dashboard::screens::picture::{Picture, spans_decades};
use crate::style::Ink;
use attune_protocol::Number;
use ratatui::layout::Rect;

pub(super) fn draw(
    pen: &mut Pen<'_>,
    area: Rect,
    scheduler: &str,
    values: &Values,
    picture: &mut Picture,
    cx: &Cx<'_>,
) {
    let question = values.preview(scheduler, true);
    let previewed = match cx.data.preview(&question) {
        Loaded::Ready(previewed) => previewed,
        Loaded::Waiting => {
            let inside = pen.heading(area, "Preview", "");
            say(pen, inside, "", "asking for the schedule", Ink::Dim);
            return;
        }
        Loaded::Failed(why) => {
            let inside = pen.heading(area, "Preview", "");
            say(pen, inside, "no schedule:", why, Ink::Bad);
            return;
        }
    };
    let mut note = previewed.note.clone().unwrap_or_default();
    if !picture.note().is_empty() {
        note = picture.note();
    }
    let title = format!("Preview of {scheduler}");
    let inside = pen.heading(area, &title, &note);
    let rates = pairs(&previewed.rates);
    let losses = pairs(&previewed.losses);
    let defaults = match values.has_changed(scheduler) {
        true => cx.data.preview(&values.preview(scheduler, false)).ready(),
        false => None,
    };
    let defaults = defaults.map(|previewed| pairs(&previewed.rates));
    let stairs = |label, points, series| Curve {
        stairs: true,
        ..Curve::new(label, Points::Pairs(points), Role::Chosen(series))
    };
    let mut curves = vec![stairs("as it is set", &rates, 0)];
    if let Some(defaults) = &defaults {
        curves.insert(0, stairs("at its defaults", defaults, 1));
    }
    let by_itself = spans_decades(curves.iter().map(|curve| curve.points));
    let mut panels = vec![Panel {
        weight: 2,
        log_y: picture.is_log(by_itself),
        values: Written::Rate,
        missing: "it gives no rate",
        ..Panel::new("learning rate", curves)
    }];
    if !losses.is_empty() && inside.height >= 12 {
        let curve = Curve::new("made-up loss", Points::Pairs(&losses), Role::Chosen(2));
        panels.push(Panel::new("loss that it is shown (made up)", vec![curve]));
    }
    picture.draw(pen, inside, panels, &[]);
}

/// Points by step as a curve takes them.
pub(crate) fn pairs(points: &[(u64, Number)]) -> Vec<(f64, f64)> {
    let pair = |(step, value): &(u64, Number)| (*step as f64, value.0);
    points.iter().map(pair).collect()
}
