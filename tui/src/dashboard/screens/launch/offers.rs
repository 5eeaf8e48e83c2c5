//! What is offered under a row: files for the data, columns for the target.

use super::complete;
use super::form::Form;
use super::sheet::{Drawn, Sheet, dim};
use crate::dashboard::pen::Pen;
use crate::style::Ink;
use crate::text::{pad, width};
use attune_protocol::{DataColumn, DataLook};
use ratatui::text::Line;

/// So many values are offered at most.
const OFFERS: usize = 6;

impl Sheet<'_> {
    /// What lies where the data file's path leads.
    pub(super) fn data_file(
        &self,
        lines: &mut Vec<Drawn>,
        form: &Form,
        is_chosen: bool,
        pen: &Pen<'_>,
    ) {
        let table = self.around.facts.table;
        if let Some(table) = table {
            let told = format!("    {} rows, {} columns", table.rows, table.columns.len());
            lines.push(dim(&told, pen));
            return;
        }
        match self.look {
            Some(Err(why)) => {
                let told = format!("    cannot look there: {why}");
                lines.push(Drawn::Told(Line::styled(told, pen.style.ink(Ink::Warning))));
            }
            Some(Ok(DataLook {
                problem: Some(why), ..
            })) => {
                let told = format!("    {why}");
                lines.push(Drawn::Told(Line::styled(told, pen.style.ink(Ink::Warning))));
            }
            _ if !is_chosen => {}
            looked => {
                let typed = form.field.text();
                let folder = self.around.folder;
                let fits: Vec<_> = complete::fitting(self.around.entries, typed, folder).collect();
                if fits.is_empty() {
                    let told = match looked {
                        Some(_) => "    no data file and no folder begins so",
                        None => "    looking there",
                    };
                    lines.push(dim(told, pen));
                }
                for entry in fits.iter().take(OFFERS) {
                    let end = if entry.folder { "/" } else { "" };
                    let path = complete::written(&entry.path, typed, folder);
                    let value = format!("{path}{end}");
                    let text = match entry.folder {
                        true => value.clone(),
                        false => format!("{value}  {}", bytes(entry.bytes)),
                    };
                    lines.push(Drawn::Offer(value, text, false));
                }
                if let Some(more) = fits.len().checked_sub(OFFERS).filter(|more| *more > 0) {
                    lines.push(dim(&format!("    and {more} more: type on"), pen));
                }
            }
        }
    }

    /// The columns that can be the target, around the one that is.
    pub(super) fn columns(&self, lines: &mut Vec<Drawn>, form: &Form) {
        let Some(table) = self.around.facts.table else {
            return;
        };
        let typed = form.field.text();
        let at = table.columns.iter().position(|column| column.name == typed);
        let fits: Vec<&DataColumn> = match at {
            Some(_) => table.columns.iter().collect(),
            None => {
                let named = table.columns.iter();
                named.filter(|column| column.name.contains(typed)).collect()
            }
        };
        // The target is often the last column; where none is chosen yet the end is shown.
        let about = at.unwrap_or(fits.len().saturating_sub(1));
        let first = about.saturating_sub(OFFERS / 2);
        let first = first.min(fits.len().saturating_sub(OFFERS));
        let shown = &fits[first..(first + OFFERS).min(fits.len())];
        let names = shown.iter().map(|column| width(&column.name));
        let wide = names.max().unwrap_or(0).min(20);
        for column in shown {
            let mut text = format!("{}  {}", pad(&column.name, wide), column.kind);
            if column.missing > 0 {
                text.push_str(&format!(", {} missing", column.missing));
            }
            let more = if column.distinct >= 1000 { "+" } else { "" };
            text.push_str(&format!(", {}{more} different", column.distinct));
            if !column.examples.is_empty() {
                text.push_str(&format!(": {}", column.examples.join(", ")));
            }
            let holds = column.name == typed;
            lines.push(Drawn::Offer(column.name.clone(), text, holds));
        }
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} bytes"),
        10_000..10_000_000 => format!("{} kB", count / 1_000),
        _ => format!("{} MB", count / 1_000_000),
    }
}
