//! The rate that a scheduler would make of the study's settings, tried without training.

use super::document::Document;
use super::fields::Facts;
use super::typed::{Plain, Said};
use crate::chart::{Curve, Panel, Points, Role, Unit, Values};
use crate::dashboard::data::Data;
use crate::dashboard::data::want::{Fresh, Loaded, Want};
use crate::dashboard::pen::Pen;
use crate::dashboard::screens::picture::Picture;
use crate::dashboard::screens::plugins::preview::pairs;
use crate::dashboard::screens::{Pointer, Wants};
use crate::number;
use crate::style::Ink;
use attune_protocol::{Number, Preview, Previewed, Scalar};
use ratatui::layout::Rect;
use std::collections::BTreeMap;

/// The picture of a schedule.
#[derive(Debug)]
pub(super) struct Schedule {
    /// What is asked now.
    asked: Option<Preview>,
    shown: Option<Shown>,
    error: Option<String>,
    picture: Picture,
}

/// What was answered last.
#[derive(Debug)]
struct Shown {
    of: Preview,
    rates: Vec<(f64, f64)>,
    losses: Vec<(f64, f64)>,
    note: Option<String>,
}

/// What holds where neither the study file nor the data say otherwise.
const RATE: f64 = 0.05;
const BATCH: f64 = 64.0;
const EPOCHS: i64 = 40;
const ROWS: u64 = 3_000;

/// The most steps that a schedule is tried over.
const MOST: u64 = 1_000_000;

impl Default for Schedule {
    fn default() -> Self {
        Schedule {
            asked: None,
            shown: None,
            error: None,
            picture: Picture::new(Unit::Step),
        }
    }
}

/// The question for a scheduler's schedule in this study: values that are searched are in the middle
/// of their range.
pub(super) fn question(document: &Document, facts: Facts<'_>, scheduler: &str) -> Preview {
    let said = |path: &str| document.get(path).and_then(Said::of);
    let middle = |path: &str| said(path).and_then(|said| said.middle());
    let number = |path: &str| middle(path).and_then(|value| value.number());
    let share = |path: &str| number(path).unwrap_or(0.15);
    let rows = facts.table.map_or(ROWS, |table| table.rows) as f64;
    let train = (1.0 - share("data.valid") - share("data.test")).max(0.05);
    let batch = number("space.batch_size").unwrap_or(BATCH).max(1.0);
    let steps_per_epoch = ((rows * train / batch).ceil() as u64).clamp(1, MOST);
    let epochs = document.whole("fidelity.max_epochs");
    let epochs = epochs.unwrap_or(EPOCHS).max(1) as u64;
    let table = format!("space.{scheduler}");
    let known = facts.schedulers.iter().find(|s| s.name == scheduler);
    let params = known.into_iter().flat_map(|scheduler| &scheduler.params);
    let params: BTreeMap<String, Scalar> = params
        .filter_map(|param| {
            let path = format!("{table}.{}", param.name);
            let value = document.get(&path)?;
            if super::fit::misfit(param, value).is_some() {
                return None;
            }
            let is_whole = matches!(
                param.kind,
                crate::dashboard::screens::plugins::param::Kind::Int(..)
            );
            let scalar = match Said::of(value)?.middle()? {
                Plain::Float(value) if is_whole => Scalar::Int(value.round() as i64),
                Plain::Bool(value) => Scalar::Bool(value),
                Plain::Int(value) => Scalar::Int(value),
                Plain::Float(value) => Scalar::Float(Number(value)),
                Plain::Word(value) => Scalar::Text(value),
            };
            Some((param.name.clone(), scalar))
        })
        .collect();
    Preview {
        scheduler: scheduler.to_owned(),
        params,
        rate: Number(
            number("space.lr")
                .filter(|rate| *rate > 0.0)
                .unwrap_or(RATE),
        ),
        steps: steps_per_epoch.saturating_mul(epochs).min(MOST),
        steps_per_epoch,
    }
}

impl Schedule {
    /// Asks, once the study file has rested, and takes in what was answered.
    pub(super) fn follow(
        &mut self,
        question: Option<Preview>,
        rests: bool,
        data: &Data,
        wants: &mut Wants,
    ) {
        let Some(question) = question else {
            (self.asked, self.shown, self.error) = (None, None, None);
            return;
        };
        match data.preview(&question) {
            Loaded::Ready(previewed) => {
                if self.shown.as_ref().is_none_or(|shown| shown.of != question) {
                    self.show(question.clone(), previewed);
                }
                self.error = None;
            }
            Loaded::Failed(why) => self.error = Some(why.to_owned()),
            Loaded::Waiting => self.error = None,
        }
        if rests {
            wants.answer(Want::Preview(question.clone()), Fresh::Once);
        }
        self.asked = Some(question);
    }

    fn show(&mut self, of: Preview, previewed: &Previewed) {
        let is_other = self
            .shown
            .as_ref()
            .is_none_or(|shown| (&shown.of.scheduler, shown.of.steps) != (&of.scheduler, of.steps));
        if is_other {
            self.picture.reset();
        }
        self.shown = Some(Shown {
            of,
            rates: pairs(&previewed.rates),
            losses: pairs(&previewed.losses),
            note: previewed.note.clone(),
        });
    }

    pub(super) fn pointer(&mut self, pointer: Pointer) -> bool {
        self.picture.pointer(pointer)
    }

    /// Draws it: the rate, under it the loss that it was shown.
    pub(super) fn draw(&mut self, pen: &mut Pen<'_>, area: Rect) {
        let Some(asked) = &self.asked else {
            pen.text(
                area.x,
                area.y,
                area.width,
                "choose a scheduler to see its schedule",
                Ink::Dim,
            );
            return;
        };
        let heading = format!(
            "{} from a rate of {}",
            asked.scheduler,
            number::rate(asked.rate.0)
        );
        let inside = pen.heading(area, "Schedule", &heading);
        if let Some(why) = &self.error {
            let text = format!("cannot be shown: {why}");
            pen.text(inside.x, inside.y, inside.width, &text, Ink::Warning);
            return;
        }
        let shown = self.shown.as_ref();
        let Some(shown) = shown.filter(|shown| shown.of.scheduler == asked.scheduler) else {
            pen.text(inside.x, inside.y, inside.width, "trying it", Ink::Dim);
            return;
        };
        let note = shown.note.as_deref().filter(|_| inside.height > 7);
        let note_rows = u16::from(note.is_some());
        let chart = Rect {
            height: inside.height.saturating_sub(note_rows),
            ..inside
        };
        let curve = |points| Curve::new(&asked.scheduler, Points::Pairs(points), Role::Chosen(0));
        let mut panels = vec![Panel {
            values: Values::Rate,
            weight: 2,
            ..Panel::new(
                "learning rate",
                vec![Curve {
                    stairs: true,
                    ..curve(&shown.rates)
                }],
            )
        }];
        if !shown.losses.is_empty() && chart.height >= 12 {
            panels.push(Panel::new("made-up loss", vec![curve(&shown.losses)]));
        }
        self.picture.draw(pen, chart, panels, &[]);
        if let Some(note) = note {
            let y = inside.bottom() - 1;
            pen.text(inside.x, y, inside.width, note, Ink::Dim);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_asked_for_with_what_the_study_says() {
        let document = Document::new(
            "[fidelity]\nmax_epochs = 10\n[space]\nlr = { low = 0.01, high = 1, log = true }\n\
             batch_size = [10, 20]\n",
        );
        let table = attune_protocol::DataTable {
            rows: 100,
            columns: Vec::new(),
            pictures: None,
        };
        let facts = Facts {
            schedulers: &[],
            table: Some(&table),
            checked: None,
        };
        let asked = question(&document, facts, "cosine");
        assert_eq!((asked.steps_per_epoch, asked.steps), (7, 70));
        assert!((asked.rate.0 - 0.1).abs() < 1e-12);
    }
}
