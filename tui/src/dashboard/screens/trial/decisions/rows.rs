//! The rows of the table: which steps are shown, and what is said of each.

use super::PAGE;
use crate::dashboard::grid::{Heading, Text};
use crate::dashboard::screens::trial::curves::SIGNAL;
use crate::number;
use crate::style::Ink;
use crate::summary::is_rate_column;
use attune_protocol::work::Intervention;
use attune_protocol::{Number, Steer, StepRows};

/// The rows of a page at which something was decided or shown: the rate changed, the scheduler saw
/// a signal, or somebody took the wheel. The trial's first step always is one.
pub(super) fn decided(rows: &StepRows, hands: &[&Intervention], page: u64) -> Vec<usize> {
    let columns = Columns::of(rows);
    let first = usize::from(page > 0 && rows.steps.first().is_some_and(|s| *s < page * PAGE));
    let is_decided = |row: &usize| {
        let step = rows.steps[*row];
        let moved = columns.rates.iter().any(|(_, rates)| changed(rates, *row));
        let saw = columns
            .signals
            .iter()
            .any(|(_, values)| number_at(values, *row).is_finite());
        let hand = hands.iter().any(|hand| hand.step == step);
        moved || saw || hand || (*row == 0 && page == 0)
    };
    (first..rows.steps.len()).filter(is_decided).collect()
}

fn number_at(values: &[Number], row: usize) -> f64 {
    values.get(row).map_or(f64::NAN, |value| value.0)
}

fn changed(rates: &[Number], row: usize) -> bool {
    let before = row.checked_sub(1).map(|before| number_at(rates, before));
    // By their bits: what is not a number equals itself so.
    before.is_some_and(|before| before.to_bits() != number_at(rates, row).to_bits())
}

/// The columns of a page by what they are.
pub(super) struct Columns<'a> {
    rates: Vec<(&'a str, &'a [Number])>,
    signals: Vec<(&'a str, &'a [Number])>,
    loss: &'a [Number],
}

impl<'a> Columns<'a> {
    pub(super) fn of(rows: &'a StepRows) -> Self {
        let all = || {
            rows.columns
                .iter()
                .map(|(name, values)| (name.as_str(), values.as_slice()))
        };
        let signal =
            |(name, values): (&'a str, &'a [Number])| Some((name.strip_prefix(SIGNAL)?, values));
        Columns {
            rates: all().filter(|(name, _)| is_rate_column(name)).collect(),
            signals: all().filter_map(signal).collect(),
            loss: rows.columns.get("loss").map_or(&[], Vec::as_slice),
        }
    }

    pub(super) fn headings(&self) -> Vec<Heading> {
        let mut headings = vec![Heading::number("step"), Heading::number("loss").rank(2)];
        for (index, (name, _)) in self.rates.iter().enumerate() {
            let title = match name.strip_prefix("lr.") {
                Some(group) => format!("rate {group}"),
                None => "rate".to_owned(),
            };
            let heading = Heading::number(title);
            headings.push(if index == 0 { heading } else { heading.rank(5) });
        }
        headings.push(Heading::number("change").rank(1));
        for (index, (name, _)) in self.signals.iter().enumerate() {
            let rank = 10 + (index as u8).min(200);
            headings.push(Heading::number((*name).to_owned()).rank(rank).most(18));
        }
        headings.push(Heading::word("what was done").most(40).rank(1));
        headings
    }

    pub(super) fn cells(
        &self,
        rows: &StepRows,
        row: usize,
        hands: &[&Intervention],
        nothing: &'static str,
    ) -> Vec<Text> {
        let told = |value: f64, write: fn(f64) -> String| -> Text {
            match value.is_nan() {
                true => (nothing.into(), Ink::Dim),
                false => (write(value).into(), Ink::Plain),
            }
        };
        let step = rows.steps[row];
        let mut cells: Vec<Text> = vec![
            (step.to_string().into(), Ink::Strong),
            told(number_at(self.loss, row), number::metric),
        ];
        for (_, rates) in &self.rates {
            cells.push(told(number_at(rates, row), number::rate));
        }
        let rates = self.rates.first().map_or(&[][..], |(_, rates)| rates);
        let before = row.checked_sub(1).map(|before| number_at(rates, before));
        let now = number_at(rates, row);
        let change = before.and_then(|before| percent(before, now));
        cells.push((change.unwrap_or_default().into(), Ink::Plain));
        for (_, values) in &self.signals {
            cells.push(told(number_at(values, row), number::significant));
        }
        let hand: Vec<String> = hands
            .iter()
            .filter(|hand| hand.step == step)
            .map(|hand| format!("by hand: {}", steered(&hand.steer)))
            .collect();
        let what = match before {
            _ if !hand.is_empty() => (hand.join("; ").into(), Ink::Warning),
            None if row == 0 && step <= 1 => ("began".into(), Ink::Dim),
            Some(before) if now > before => ("raised".into(), Ink::Accent),
            Some(before) if now < before => ("lowered".into(), Ink::Accent),
            _ => ("".into(), Ink::Dim),
        };
        cells.push(what);
        cells
    }
}

/// A hand on the wheel, in words.
pub(in super::super) fn steered(steer: &Steer) -> String {
    match steer {
        Steer::SetRate(rate) => format!("rate set to {}", number::significant(rate.0)),
        Steer::Swap { scheduler, .. } => format!("{scheduler} took the wheel"),
    }
}

/// By how much a rate changed, such as `-5.00%`; nothing where it did not, or from nothing.
fn percent(before: f64, now: f64) -> Option<String> {
    let change = (now - before) / before * 100.0;
    if change == 0.0 || !change.is_finite() {
        return None;
    }
    Some(match change.abs() {
        0.0..0.01 => format!("{change:+.1e}%"),
        0.01..1000.0 => format!("{change:+.2}%"),
        _ => format!("{}x", number::significant(now / before)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_steps_at_which_something_happened_are_shown() {
        let numbers = |values: &[f64]| values.iter().copied().map(Number).collect::<Vec<_>>();
        let mut rows = StepRows {
            steps: (499..505).collect(),
            ..StepRows::default()
        };
        let rates = numbers(&[0.1, 0.05, 0.05, 0.04, 0.04, 0.04]);
        rows.columns.insert("lr".into(), rates);
        rows.columns.insert("loss".into(), numbers(&[1.0; 6]));
        assert_eq!(decided(&rows, &[], 1), [1, 3]);
        let hand = Intervention {
            step: 503,
            steer: Steer::SetRate(Number(0.04)),
        };
        assert_eq!(decided(&rows, &[&hand], 1), [1, 3, 4]);
        let mut seen = [f64::NAN; 6];
        seen[5] = 2.0;
        rows.columns.insert("signal.norm".into(), numbers(&seen));
        assert_eq!(decided(&rows, &[], 1), [1, 3, 5]);
        rows.steps = (0..6).collect();
        assert_eq!(decided(&rows, &[], 0), [0, 1, 3, 5], "the first one always");
    }

    #[test]
    fn a_change_is_told_in_percent() {
        let table = [
            (0.1, 0.1, None),
            (0.1, 0.095, Some("-5.00%")),
            (0.1, 0.2, Some("+100.00%")),
            (0.1, 0.1000001, Some("+1.0e-4%")),
            (0.001, 0.1, Some("100x")),
            (0.0, 0.1, None),
        ];
        for (before, now, told) in table {
            assert_eq!(percent(before, now).as_deref(), told, "{before} {now}");
        }
    }
}
