//! What keys do to the row that is filled in.

use super::complete::Completion;
use super::document::Document;
use super::fields::{self, Facts, Item, Kind, Row, SCHEDULERS};
use super::form::{Around, Form, Outcome};
use super::typed;
use crate::dashboard::field::Field;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use toml_edit::{Array, Value};

impl Form {
    /// Takes what was pasted.
    pub(super) fn paste(
        &mut self,
        text: &str,
        document: &mut Document,
        facts: Facts<'_>,
    ) -> Outcome {
        match self.row(document, facts) {
            Some(Row::Field(item)) => {
                self.field.paste(text);
                self.write(&item, document)
            }
            _ => Outcome::Nothing,
        }
    }

    /// Gives the chosen row a value that was offered.
    pub(super) fn take(
        &mut self,
        value: &str,
        document: &mut Document,
        facts: Facts<'_>,
    ) -> Outcome {
        match self.row(document, facts) {
            Some(Row::Field(item)) => {
                self.completion = Completion::default();
                self.field = Field::new(value);
                self.write(&item, document)
            }
            _ => Outcome::Nothing,
        }
    }

    /// Chooses a scheduler, or leaves it out.
    pub(super) fn toggle(
        &mut self,
        name: &str,
        document: &mut Document,
        facts: Facts<'_>,
    ) -> Outcome {
        let mut chosen = fields::chosen(document, facts);
        let table = format!("space.{name}");
        if chosen.iter().any(|chosen| chosen == name) {
            chosen.retain(|chosen| chosen != name);
            // What was said of it would be a mistake now; it comes back with the scheduler.
            let said = document.keys(&table).into_iter().filter_map(|key| {
                let path = format!("{table}.{key}");
                Some((path.clone(), document.get(&path)?.clone()))
            });
            let said: Vec<(String, Value)> = said.collect();
            document.remove(&table);
            self.bad
                .retain(|path, _| fields::scheduler_of(path) != Some(name));
            self.shelf.insert(name.to_owned(), said);
        } else {
            chosen.push(name.to_owned());
            for (path, value) in self.shelf.remove(name).unwrap_or_default() {
                document.set(&path, value);
            }
        }
        let names: Array = chosen.iter().map(String::as_str).collect();
        document.set(SCHEDULERS, Value::Array(names));
        Outcome::Edited(SCHEDULERS.to_owned())
    }

    pub(super) fn scheduler(
        &mut self,
        event: &KeyEvent,
        name: &str,
        is_on: bool,
        document: &mut Document,
        facts: Facts<'_>,
    ) -> Outcome {
        match event.code {
            KeyCode::Char(' ' | 'x') => return self.toggle(name, document, facts),
            KeyCode::Left => drop(self.open.remove(name)),
            KeyCode::Right | KeyCode::Enter if !is_on => {
                self.open.insert(name.to_owned());
                return self.toggle(name, document, facts);
            }
            KeyCode::Right => drop(self.open.insert(name.to_owned())),
            KeyCode::Enter if !self.open.remove(name) => drop(self.open.insert(name.to_owned())),
            _ => {}
        }
        Outcome::Nothing
    }

    pub(super) fn fill(
        &mut self,
        event: &KeyEvent,
        item: &Item,
        document: &mut Document,
        facts: Facts<'_>,
    ) -> Outcome {
        let words = fields::words(item);
        let text = self.field.text();
        let is_word = text.is_empty() || words.iter().any(|word| word == text);
        let only_words = matches!(item.kind, Kind::Turn(_) | Kind::Flag);
        match event.code {
            KeyCode::Enter => {
                self.step(1, document, facts);
                return Outcome::Nothing;
            }
            KeyCode::Right if !words.is_empty() && is_word => self.turn(item, &words, 1),
            KeyCode::Left if !words.is_empty() && is_word => self.turn(item, &words, -1),
            KeyCode::Char(' ') if only_words => self.turn(item, &words, 1),
            KeyCode::Backspace | KeyCode::Delete if only_words => self.field = Field::default(),
            KeyCode::Char(c) if only_words => match words.iter().find(|w| w.starts_with(c)) {
                Some(word) => self.field = Field::new(word.clone()),
                None => return Outcome::Nothing,
            },
            _ => {
                let before = text.to_owned();
                if !self.field.key(event) || self.field.text() == before {
                    return Outcome::Nothing;
                }
            }
        }
        self.write(item, document)
    }

    /// To the word beside the one that holds.
    fn turn(&mut self, item: &Item, words: &[String], step: isize) {
        let text = match self.field.text() {
            "" => item.unset.as_str(),
            text => text,
        };
        let at = words.iter().position(|word| word == text);
        let count = words.len() as isize;
        let next = match (at, step) {
            (Some(at), step) => (at as isize + step).rem_euclid(count),
            (None, 1) => 0,
            (None, _) => count - 1,
        };
        self.field = Field::new(words[next as usize].clone());
    }

    /// Puts what is typed into the study file, if it is a value.
    fn write(&mut self, item: &Item, document: &mut Document) -> Outcome {
        self.follows = true;
        let path = &item.path;
        let text = self.field.text();
        self.bad.remove(path);
        if text.trim().is_empty() {
            document.remove(path);
            return Outcome::Edited(path.clone());
        }
        let value = match &item.kind {
            Kind::Path | Kind::Column(_) | Kind::Text | Kind::Turn(_) => Ok(text.into()),
            Kind::Whole => match text.trim().parse::<i64>() {
                Ok(number) => Ok(number.into()),
                Err(_) => Err(format!("`{text}` is not a whole number")),
            },
            Kind::Number => {
                let value = text.trim().parse::<Value>().ok();
                let number = value.filter(|value| value.is_integer() || value.is_float());
                number.ok_or_else(|| format!("`{text}` is not a number"))
            }
            Kind::Flag => Ok((text == "true").into()),
            Kind::Setting(_) | Kind::Param(_) => typed::value(text),
        };
        let why = match value {
            Ok(value) => match document.set(path, value) {
                true => None,
                false => Some("the study file has no place for it: ctrl-e shows why".to_owned()),
            },
            Err(why) => Some(why),
        };
        if let Some(why) = why {
            self.bad.insert(path.clone(), (text.to_owned(), why));
        }
        Outcome::Edited(path.clone())
    }

    /// A key in the data file's field, where it is one that completes.
    pub(super) fn complete(
        &mut self,
        event: &KeyEvent,
        item: &Item,
        document: &mut Document,
        around: Around<'_>,
    ) -> Option<Outcome> {
        let text = self.field.text();
        let completed = match event.code {
            KeyCode::Tab if around.facts.table.is_none() || self.completion.is_under_way() => {
                self.completion.next(text, around.entries, around.folder)
            }
            KeyCode::Enter
                if self
                    .completion
                    .is_folder(around.entries, text, around.folder) =>
            {
                Some(format!("{text}/"))
            }
            _ => None,
        };
        if event.code != KeyCode::Tab {
            self.completion = Completion::default();
        }
        let completed = completed?;
        self.field = Field::new(completed);
        Some(self.write(item, document))
    }
}
