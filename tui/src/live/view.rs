//! The picture of a running study.

use super::state::{LiveState, RunningTrial, WIDEST_NAME};
use crate::ended::{aim, outcomes, trials};
use crate::gauge;
use crate::number;
use crate::style::{Ink, Style};
use crate::text::{clean, fit, fit_line, pad, pad_left, spread, width};
use ratatui::text::{Line, Span};

/// The picture, at most `rows` lines of at most `columns`: study, progress bar, best result, and
/// the trials that run.
pub fn view(state: &LiveState, columns: usize, rows: usize, style: Style) -> Vec<Line<'static>> {
    let Some(study) = state.study() else {
        return Vec::new();
    };
    let ellipsis = style.symbols().ellipsis;
    let separator = style.symbols().separator;
    let title = Line::from(vec![
        Span::styled(clean(&study.name).into_owned(), style.ink(Ink::Strong)),
        Span::styled(format!("{separator}{}", aim(study)), style.ink(Ink::Dim)),
    ]);
    let clock = Line::styled(number::clock(state.elapsed()), style.ink(Ink::Strong));
    let mut lines = vec![
        spread(title, clock, columns, ellipsis),
        progress(state, columns, style),
        spread(
            best(state, style),
            Line::from(outcomes(study, style)),
            columns,
            ellipsis,
        ),
    ];
    lines.extend(running(
        state,
        columns,
        rows.saturating_sub(lines.len()),
        style,
    ));
    lines.truncate(rows);
    lines
}

fn progress(state: &LiveState, columns: usize, style: Style) -> Line<'static> {
    let Some(study) = state.study() else {
        return Line::default();
    };
    let ended = study.trials.ended();
    let mut facts = vec![match study.trials.planned {
        0 => trials(ended),
        planned => format!("{ended} of {}", trials(planned)),
    }];
    if let Some(budget) = state.budget() {
        facts.push(format!("{} at most", number::clock(budget)));
    }
    if let Some(left) = state.left() {
        facts.push(format!("about {} left", number::clock(left)));
    }
    let text = facts.join(style.symbols().separator);
    let room = columns.saturating_sub(width(&text) + 2);
    let mut spans = Vec::new();
    if room >= 8 {
        spans = gauge::bar(state.fraction(), room, style);
        spans.push(Span::raw("  "));
    }
    spans.push(Span::raw(text));
    fit_line(Line::from(spans), columns, style.symbols().ellipsis)
}

fn best(state: &LiveState, style: Style) -> Line<'static> {
    let known = state.study().and_then(|study| {
        let value = study.best_value?;
        Some((study, value.0, study.best_trial.clone()?))
    });
    let Some((study, value, id)) = known else {
        return Line::styled("no result yet", style.ink(Ink::Dim));
    };
    let mut place = format!("  {}", clean(&id));
    if let Some(best) = state.best() {
        place += &format!(" {}", clean(&best.scheduler));
        if let Some(epoch) = best.best_epoch {
            place += &format!(", epoch {epoch}");
        }
    } else if let Some(trial) = state.running().iter().find(|trial| trial.id == id) {
        place += &format!(" {}", clean(&trial.scheduler));
    }
    Line::from(vec![
        Span::styled(
            format!("best {} {}", clean(&study.metric), number::metric(value)),
            style.ink(Ink::Best),
        ),
        Span::raw(place),
    ])
}

/// A heading and a line for each running trial; where there are too many, those that moved last.
fn running(state: &LiveState, columns: usize, rows: usize, style: Style) -> Vec<Line<'static>> {
    let all = state.running();
    if rows < 2 || all.is_empty() {
        return Vec::new();
    }
    let room = rows - 1;
    let shown_count = if all.len() <= room {
        all.len()
    } else {
        room - 1
    };
    let mut latest: Vec<u64> = all.iter().map(|trial| trial.moved).collect();
    latest.sort_unstable_by(|a, b| b.cmp(a));
    let shown = all
        .iter()
        .filter(|trial| latest[..shown_count].contains(&trial.moved));
    let layout = Layout::of(state, columns);
    let mut lines = vec![layout.heading(style)];
    lines.extend(shown.map(|trial| layout.trial(trial, style)));
    if shown_count < all.len() {
        let more = format!("  and {} more running", all.len() - shown_count);
        lines.push(Line::styled(more, style.ink(Ink::Dim)));
    }
    let ellipsis = style.symbols().ellipsis;
    let cut = |line| fit_line(line, columns, ellipsis);
    lines.into_iter().map(cut).collect()
}

/// Which columns a running trial's line has, and how wide they are.
struct Layout {
    metric: String,
    id: usize,
    scheduler: usize,
    bar: usize,
    epoch: usize,
    value: usize,
    /// 0 where there is no room.
    rate: usize,
    spark: usize,
}

/// Columns between two columns.
const GAP: usize = 2;

impl Layout {
    fn of(state: &LiveState, columns: usize) -> Layout {
        let trials = || state.running().iter();
        let widest = |names: &mut dyn Iterator<Item = &String>, heading: &str| {
            let columns = names.map(|name| width(&clean(name)).min(WIDEST_NAME)).max();
            columns.unwrap_or(0).max(width(heading))
        };
        let id = widest(&mut trials().map(|trial| &trial.id), "trial");
        let scheduler = widest(&mut trials().map(|trial| &trial.scheduler), "scheduler");
        let metric = state.study().map_or("", |study| &study.metric);
        let metric = fit(&clean(metric), 12, "").into_owned();
        let value = width(&metric).max(7);
        let epoch = trials()
            .map(|trial| epochs(trial).len())
            .max()
            .unwrap_or(0)
            .max(5);
        let mut left = columns.saturating_sub(2 + id + GAP + scheduler + GAP + epoch + GAP + value);
        // In the order of what is missed most.
        let mut take = |wanted: usize, least: usize| -> usize {
            let given = left.saturating_sub(GAP).min(wanted);
            if given < least {
                return 0;
            }
            left -= given + GAP;
            given
        };
        let rate = take(8, 8);
        let mut spark = take(16, 6);
        let bar = take(if columns < 100 { 10 } else { 20 }, 6);
        if spark > 0 {
            spark += left.min(16);
        }
        Layout {
            metric,
            id,
            scheduler,
            bar,
            epoch,
            value,
            rate,
            spark,
        }
    }

    fn heading(&self, style: Style) -> Line<'static> {
        let mut text = format!(
            "  {}  {}  ",
            pad("trial", self.id),
            pad("scheduler", self.scheduler)
        );
        let before_epoch = if self.bar > 0 { self.bar + GAP } else { 0 };
        text += &pad_left("epoch", before_epoch + self.epoch);
        text += &format!("  {}", pad_left(&self.metric, self.value));
        if self.rate > 0 {
            text += &format!("  {}", pad_left("rate", self.rate));
        }
        if self.spark > 0 {
            text += "  trend";
        }
        Line::styled(text, style.ink(Ink::Dim))
    }

    fn trial(&self, trial: &RunningTrial, style: Style) -> Line<'static> {
        let symbols = style.symbols();
        let name = |text: &str, columns| {
            let text = clean(text);
            pad(&fit(&text, columns, symbols.ellipsis), columns)
        };
        let value = match trial.values.back() {
            Some(value) => number::metric(*value),
            None => symbols.nothing.to_owned(),
        };
        let mut spans = vec![
            Span::raw(format!("  {}  ", name(&trial.id, self.id))),
            Span::raw(format!("{}  ", name(&trial.scheduler, self.scheduler))),
        ];
        if self.bar > 0 {
            spans.extend(gauge::bar(trial.fraction(), self.bar, style));
            spans.push(Span::raw("  "));
        }
        spans.push(Span::raw(pad_left(&epochs(trial), self.epoch)));
        spans.push(Span::styled(
            format!("  {}", pad_left(&value, self.value)),
            style.ink(Ink::Strong),
        ));
        if self.rate > 0 {
            let rate = trial.rate.map_or(symbols.nothing.to_owned(), number::rate);
            spans.push(Span::raw(format!("  {}", pad_left(&rate, self.rate))));
        }
        if self.spark > 0 {
            let values: Vec<f64> = trial.values.iter().copied().collect();
            let spark = gauge::spark(&values, self.spark, style);
            spans.push(Span::styled(format!("  {spark}"), style.ink(Ink::Accent)));
        }
        Line::from(spans)
    }
}

fn epochs(trial: &RunningTrial) -> String {
    match trial.max_epochs {
        0 => trial.epoch.to_string(),
        most => format!("{}/{most}", trial.epoch),
    }
}
