//! The parts of a trial's page, drawn.

use super::curves::Drawing;
use super::known::Known;
use super::pager::{Entry, Page};
use super::{Part, Trial, facts};
use crate::dashboard::cx::Cx;
use crate::dashboard::pen::{Pen, split_top};
use ratatui::layout::Rect;

/// From this height on a chart stands under the decisions.
const TALL: u16 = 18;

/// From this width on settings stand beside the rest.
const WIDE: u16 = 100;

impl Trial {
    fn draw_settings(&mut self, pen: &mut Pen<'_>, area: Rect, known: &Known<'_>, cx: &Cx<'_>) {
        let Some(trial) = known.trial() else {
            return;
        };
        let is_wide = area.width >= WIDE;
        let half = if is_wide { area.width / 2 } else { area.width };
        let past = facts::past(known, trial, cx, half, pen.style).entries;
        let settings = facts::settings(trial, half, pen.style).entries;
        let (left, right): (Vec<Entry>, Vec<Entry>) = match is_wide {
            true => (past, settings),
            false => {
                let mut all = settings;
                all.push(Entry::default());
                all.extend(past);
                (all, Vec::new())
            }
        };
        self.leads = left.iter().map(|entry| entry.leads.clone()).collect();
        let beside = is_wide.then_some((right.as_slice(), half));
        self.settings.draw(pen, area, &left, beside);
    }

    pub(super) fn draw_part(
        &mut self,
        pen: &mut Pen<'_>,
        area: Rect,
        known: &Known<'_>,
        cx: &Cx<'_>,
    ) {
        let sight = self.sight(known);
        let metric = self.metric(known);
        match self.part {
            Part::Curves => {
                let drawing = Drawing {
                    known: *known,
                    metric: Some(&metric),
                    sight,
                };
                drawing.draw(pen, area, &mut self.picture, cx);
            }
            Part::Decisions => {
                let rows = match area.height >= TALL {
                    true => area.height * 11 / 20,
                    false => area.height,
                };
                let (list, chart) = split_top(area, rows);
                self.decisions.draw(pen, list, known, cx, sight);
                if chart.height > 0 {
                    let drawing = Drawing {
                        known: *known,
                        metric: None,
                        sight,
                    };
                    drawing.draw(pen, chart, &mut self.picture, cx);
                }
            }
            Part::Settings => self.draw_settings(pen, area, known, cx),
            Part::Log => {
                let Page { entries, .. } = facts::log(known, cx, area.width, pen.style);
                self.log.draw(pen, area, &entries, None);
            }
        }
    }
}
