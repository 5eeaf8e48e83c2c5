//! Reads a TOML table key by key, and says exactly where something is wrong.
//!
//! serde would parse the fixed sections too, but not say the line of a misspelt key inside the free
//! `[space]` section, nor which right one is nearest.

use attune_plugin_api::param::Value;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong with a study file or the configuration, and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}{message}", place(path, *line))]
pub(crate) struct SpecError {
    pub(crate) path: PathBuf,
    /// Counted from 1.
    pub(crate) line: usize,
    /// The whole key, such as `space.lr`; empty where it is about none.
    pub(crate) key: String,
    pub(crate) message: String,
}

/// Where in a file that is. What `fit` drafted is no file that could be opened.
fn place(path: &Path, line: usize) -> String {
    match path.as_os_str().is_empty() {
        true => String::new(),
        false => format!("{}:{line}: ", path.display()),
    }
}

/// The text of a file, for turning byte offsets into lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'d> {
    pub(crate) path: &'d Path,
    pub(crate) text: &'d str,
}

impl<'d> Source<'d> {
    /// Parses the whole file.
    pub(crate) fn parse(self) -> Result<Spanned<DeTable<'d>>, SpecError> {
        let (table, problems) = self.parse_all();
        match problems.into_iter().next() {
            None => Ok(table),
            Some(problem) => Err(problem),
        }
    }

    /// Parses the whole file, and tells everything that is no TOML. Where there is such, the table
    /// is not what the file means.
    pub(crate) fn parse_all(self) -> (Spanned<DeTable<'d>>, Vec<SpecError>) {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        let problems = errors.iter().map(|error| {
            let at = error.span().unwrap_or_default();
            let message = format!("not valid TOML: {}", error.message());
            self.error(at, String::new(), message)
        });
        let mut problems: Vec<SpecError> = problems.collect();
        // One mistake leads to others behind it.
        problems.dedup_by_key(|problem| problem.line);
        (table, problems)
    }

    pub(crate) fn error(
        self,
        at: Range<usize>,
        key: String,
        message: impl Into<String>,
    ) -> SpecError {
        SpecError {
            path: self.path.to_owned(),
            line: self.line(&at),
            key,
            message: message.into(),
        }
    }

    /// An error about a key such as `data.path`, at the line where it stands, or else at that of the
    /// table that it should stand in.
    pub(crate) fn error_about(self, key: &str, message: impl Into<String>) -> SpecError {
        let (table, _) = self.parse_all();
        let (mut at, mut within) = (0..0, Some(table.get_ref()));
        for part in key.split('.') {
            let found = within.and_then(|table| table.get_key_value(part));
            if let Some((name, _)) = found {
                at = name.span();
            }
            within = found.and_then(|(_, value)| value.get_ref().as_table());
        }
        self.error(at, key.to_owned(), message)
    }

    /// The line of a place in the text, counted from 1.
    fn line(self, at: &Range<usize>) -> usize {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }
}

/// One table of the file. Every key that is asked for counts as known; [`finish`](Self::finish)
/// refuses the others.
pub(crate) struct Section<'d> {
    source: Source<'d>,
    /// Such as `data`, or empty at the top.
    name: String,
    table: Option<&'d DeTable<'d>>,
    known: BTreeSet<&'static str>,
}

/// A key's value with its place.
pub(crate) struct Entry<'d> {
    source: Source<'d>,
    /// The table that it stands in, such as `space.greedy`; empty at the top.
    within: String,
    key: String,
    value: &'d DeValue<'d>,
    at: Range<usize>,
}

impl<'d> Section<'d> {
    pub(crate) fn top(source: Source<'d>, table: &'d DeTable<'d>) -> Self {
        Section {
            source,
            name: String::new(),
            table: Some(table),
            known: BTreeSet::new(),
        }
    }

    /// A table inside this one, empty where the file has none.
    pub(crate) fn section(&mut self, name: &'static str) -> Result<Section<'d>, SpecError> {
        let table = self.entry(name).map(|entry| entry.table()).transpose()?;
        Ok(self.inner(name, table))
    }

    /// As [`section`](Self::section), and empty where the file has something else there.
    pub(crate) fn section_or_empty(
        &mut self,
        name: &'static str,
        problems: &mut Vec<SpecError>,
    ) -> Section<'d> {
        self.section(name).unwrap_or_else(|error| {
            problems.push(error);
            self.inner(name, None)
        })
    }

    fn inner(&self, name: &str, table: Option<&'d DeTable<'d>>) -> Section<'d> {
        Section {
            source: self.source,
            name: name.to_owned(),
            table,
            known: BTreeSet::new(),
        }
    }

    /// The value of a key, where the file has one.
    pub(crate) fn entry(&mut self, key: &'static str) -> Option<Entry<'d>> {
        self.known.insert(key);
        self.entries().find(|entry| entry.key == key)
    }

    /// Every key of the table in the file's order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'d>> + use<'d> {
        let source = self.source;
        let within = self.name.clone();
        let mut entries: Vec<_> = self
            .table
            .into_iter()
            .flat_map(|table| table.iter())
            .map(|(key, value)| Entry {
                source,
                within: within.clone(),
                key: key.get_ref().to_string(),
                value: value.get_ref(),
                at: key.span(),
            })
            .collect();
        entries.sort_by_key(|entry| entry.at.start);
        entries.into_iter()
    }

    /// Refuses keys that nobody asked for.
    pub(crate) fn finish(self) -> Result<(), SpecError> {
        self.unknown().next().map_or(Ok(()), Err)
    }

    /// What is wrong with each key that nobody asked for.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = SpecError> {
        let unknown = self
            .entries()
            .filter(|entry| !self.known.contains(entry.key.as_str()));
        unknown.map(|entry| entry.unknown_key(&self.name, self.known.iter().copied()))
    }
}

impl<'d> Entry<'d> {
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Where the key stands in the text.
    pub(crate) fn place(&self) -> Range<usize> {
        self.at.clone()
    }

    /// The line of the key, counted from 1.
    pub(crate) fn line(&self) -> usize {
        self.source.line(&self.at)
    }

    pub(crate) fn error(&self, message: impl Into<String>) -> SpecError {
        self.source.error(self.at.clone(), self.path(), message)
    }

    /// The whole key, such as `space.lr`.
    fn path(&self) -> String {
        match self.within.as_str() {
            "" => self.key.clone(),
            within => format!("{within}.{}", self.key),
        }
    }

    /// `key` is not one of those known in a section.
    pub(crate) fn unknown_key<'k>(
        &self,
        section: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> SpecError {
        let known: Vec<&str> = known.into_iter().collect();
        let place = if section.is_empty() {
            "at the top of the file".to_owned()
        } else {
            format!("in [{section}]")
        };
        let remedy = match nearest(&self.key, known.iter().copied()) {
            Some(right) => format!("did you mean `{right}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        self.error(format!("unknown key `{}` {place}; {remedy}", self.key))
    }

    fn wrong_type(&self, expected: &str) -> SpecError {
        self.error(format!(
            "`{}` is {}, but must be {expected}",
            self.key,
            described(self.value)
        ))
    }

    pub(crate) fn table(&self) -> Result<&'d DeTable<'d>, SpecError> {
        self.value
            .as_table()
            .ok_or_else(|| self.wrong_type("a table"))
    }

    /// The entries of an inline or full table.
    pub(crate) fn entries(&self) -> Result<Vec<Entry<'d>>, SpecError> {
        let section = Section {
            source: self.source,
            name: self.path(),
            table: Some(self.table()?),
            known: BTreeSet::new(),
        };
        Ok(section.entries().collect())
    }

    pub(crate) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    pub(crate) fn text(&self) -> Result<&'d str, SpecError> {
        self.value
            .as_str()
            .ok_or_else(|| self.wrong_type("a text in quotes"))
    }

    pub(crate) fn bool(&self) -> Result<bool, SpecError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.wrong_type("true or false"))
    }

    /// A whole number within bounds.
    pub(crate) fn int(&self, bounds: std::ops::RangeInclusive<i64>) -> Result<i64, SpecError> {
        let (low, high) = (bounds.start(), bounds.end());
        let expected = format!("a whole number from {low} to {high}");
        match scalar(self.value) {
            Some(Value::Int(value)) if bounds.contains(&value) => Ok(value),
            _ => Err(self.wrong_type(&expected)),
        }
    }

    /// A list of so many whole numbers within bounds.
    pub(crate) fn ints<const N: usize>(
        &self,
        bounds: std::ops::RangeInclusive<i64>,
    ) -> Result<[usize; N], SpecError> {
        let number = match N {
            2 => "two".to_owned(),
            n => n.to_string(),
        };
        let (low, high) = (bounds.start(), bounds.end());
        let wrong = || {
            self.wrong_type(&format!(
                "{number} whole numbers from {low} to {high} in brackets"
            ))
        };
        let array = self.value.as_array().ok_or_else(wrong)?;
        let ints = array.iter().map(|item| match scalar(item.get_ref()) {
            Some(Value::Int(value)) if bounds.contains(&value) => usize::try_from(value).ok(),
            _ => None,
        });
        let ints: Option<Vec<usize>> = ints.collect();
        ints.and_then(|ints| ints.try_into().ok()).ok_or_else(wrong)
    }

    /// A finite number within bounds.
    pub(crate) fn float(&self, bounds: std::ops::RangeInclusive<f64>) -> Result<f64, SpecError> {
        let (low, high) = (bounds.start(), bounds.end());
        let expected = format!("a number from {low} to {high}");
        let value = match scalar(self.value) {
            Some(Value::Int(value)) => value as f64,
            Some(Value::Float(value)) => value,
            _ => return Err(self.wrong_type(&expected)),
        };
        if bounds.contains(&value) {
            Ok(value)
        } else {
            Err(self.wrong_type(&expected))
        }
    }

    /// One of several words.
    pub(crate) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, SpecError> {
        let names = || words.iter().map(|(word, _)| *word);
        let given = self.text()?;
        words
            .iter()
            .find(|(word, _)| *word == given)
            .map(|(_, meaning)| *meaning)
            .ok_or_else(|| {
                let hint = nearest(given, names())
                    .map(|right| format!("; did you mean `{right}`?"))
                    .unwrap_or_default();
                let all: Vec<&str> = names().collect();
                self.error(format!(
                    "`{}` is `{given}`, but must be one of {}{hint}",
                    self.key,
                    all.join(", ")
                ))
            })
    }

    /// A number, word or truth value.
    pub(crate) fn value(&self) -> Result<Value, SpecError> {
        scalar(self.value).ok_or_else(|| self.wrong_type("a number, a text or true or false"))
    }

    /// The values of a list, or one value as a list of one.
    pub(crate) fn values(&self) -> Result<Vec<Value>, SpecError> {
        let Some(array) = self.value.as_array() else {
            return Ok(vec![self.value()?]);
        };
        array
            .iter()
            .map(|item| {
                scalar(item.get_ref()).ok_or_else(|| {
                    self.error(format!(
                        "`{}` lists {}, but may list numbers, texts, true and false",
                        self.key,
                        described(item.get_ref())
                    ))
                })
            })
            .collect()
    }

    pub(crate) fn is_list(&self) -> bool {
        self.value.is_array()
    }
}

fn scalar(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::Boolean(value) => Some(Value::Bool(*value)),
        DeValue::String(text) => Some(Value::Text(text.to_string())),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(Value::Int),
        DeValue::Float(number) => number.as_str().parse().ok().map(Value::Float),
        _ => None,
    }
}

fn described(value: &DeValue<'_>) -> String {
    match scalar(value) {
        Some(Value::Text(text)) => format!("the text \"{text}\""),
        Some(value) => value.to_string(),
        None if value.is_array() => "a list".to_owned(),
        None => format!("a {}", value.type_str()),
    }
}

/// The name nearest to a misspelt one, where one is near enough to be meant.
pub(crate) fn nearest<'k>(
    given: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<&'k str> {
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&given, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, name)| {
            *distance <= 1 + name.chars().count().min(given.chars().count()) / 3
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A file while it is read, and what was wrong with it so far.
pub(super) struct Reading<'d> {
    source: Source<'d>,
    problems: Vec<SpecError>,
}

impl<'d> Reading<'d> {
    pub(super) fn new(source: Source<'d>) -> Self {
        Reading {
            source,
            problems: Vec::new(),
        }
    }

    /// All that was wrong.
    pub(super) fn problems(self) -> Vec<SpecError> {
        self.problems
    }

    /// Something is wrong with a key that stands in the file or could.
    pub(super) fn refuse(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(self.source.error_about(key, message));
    }

    /// Something is wrong with this entry.
    pub(super) fn refuse_entry(&mut self, entry: &Entry<'d>, message: impl Into<String>) {
        self.problems.push(entry.error(message));
    }

    /// An entry's value, if there is one and it is right.
    pub(super) fn read<T>(
        &mut self,
        entry: Option<Entry<'d>>,
        convert: impl FnOnce(&Entry<'d>) -> Result<T, SpecError>,
    ) -> Option<T> {
        self.take(convert(entry.as_ref()?))
    }

    pub(super) fn take<T>(&mut self, read: Result<T, SpecError>) -> Option<T> {
        read.map_err(|problem| self.problems.push(problem)).ok()
    }

    pub(super) fn section(&mut self, top: &mut Section<'d>, name: &'static str) -> Section<'d> {
        top.section_or_empty(name, &mut self.problems)
    }

    /// Nothing else may stand in this section.
    pub(super) fn finish(&mut self, section: &Section<'d>) {
        self.problems.extend(section.unknown());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_nothing_far() {
        let known = ["trials", "seed", "parallel", "reproducible"];
        for (given, expected) in [
            ("trails", Some("trials")),
            ("Seed", Some("seed")),
            ("paralel", Some("parallel")),
            ("budget", None),
        ] {
            assert_eq!(nearest(given, known), expected, "{given}");
        }
    }

    #[test]
    fn errors_tell_the_line() {
        let text = "a = 1\n\n[b]\nc = 'x'\n";
        let source = Source {
            path: Path::new("f.toml"),
            text,
        };
        let table = source.parse().unwrap();
        let mut top = Section::top(source, table.get_ref());
        let mut b = top.section("b").unwrap();
        let error = b.entry("c").unwrap().int(0..=9).unwrap_err();
        assert_eq!(
            error.to_string(),
            "f.toml:4: `c` is the text \"x\", but must be a whole number from 0 to 9"
        );
        let error = top.finish().unwrap_err();
        assert_eq!(
            error.to_string(),
            "f.toml:1: unknown key `a` at the top of the file; did you mean `b`?"
        );
    }

    #[test]
    fn errors_about_a_key_find_its_line_or_that_of_its_table() {
        let text = "a = 1\n\n[b]\nc = 'x'\n[b.d]\ne = 3\n";
        let source = Source {
            path: Path::new("f.toml"),
            text,
        };
        for (key, line) in [
            ("a", 1),
            ("b.c", 4),
            ("b.missing", 3),
            ("b.d.e", 6),
            ("missing.too", 1),
        ] {
            let error = source.error_about(key, "wrong");
            assert_eq!((error.line, error.key.as_str()), (line, key));
        }
    }

    #[test]
    fn everything_that_is_no_toml_is_told() {
        let source = Source {
            path: Path::new("f.toml"),
            text: "a = 'x\nb = 2\nc = = 3\n",
        };
        let (_, problems) = source.parse_all();
        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        assert!(lines.contains(&1) && lines.contains(&3), "{problems:?}");
        assert_eq!(source.parse().unwrap_err(), problems[0]);
    }
}
