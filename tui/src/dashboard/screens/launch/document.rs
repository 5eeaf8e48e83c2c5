//! A study file's text, and its keys one by one: a form is a view on it.
//!
//! The text is the one truth. A key that is set changes its value and nothing else; what the form
//! does not know, comments and the order of things stay as they are.

use std::ops::Range;
use toml_edit::{Document as Tree, Item, Table, TableLike, Value};

/// A study file.
#[derive(Debug, Clone)]
pub(super) struct Document {
    text: String,
    tree: Result<Tree<String>, Fault>,
}

/// Why a text is no TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) message: String,
}

/// A key that has a value, and the lines that the two take, counted from 1.
struct Leaf {
    path: String,
    lines: std::ops::RangeInclusive<usize>,
    /// From the key to the end of the value, in bytes.
    at: Range<usize>,
}

impl Document {
    pub(super) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let tree = Tree::parse(text.clone()).map_err(|error| Fault {
            line: line_of(&text, error.span().map_or(0, |span| span.start)),
            message: format!("not valid TOML: {}", error.message().replace('\n', ", ")),
        });
        Document { text, tree }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with the text, if it is no TOML: then it has no keys.
    pub(super) fn fault(&self) -> Option<&Fault> {
        self.tree.as_ref().err()
    }

    /// The value of a key, such as `data.path` or `space.greedy.patience`.
    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        self.item(path)?.as_value()
    }

    /// The text that is a key's value.
    pub(super) fn word(&self, path: &str) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// The whole number that is a key's value.
    pub(super) fn whole(&self, path: &str) -> Option<i64> {
        self.get(path)?.as_integer()
    }

    /// Whether there is a table of this name, with keys or without.
    pub(super) fn has_table(&self, name: &str) -> bool {
        self.item(name).is_some_and(Item::is_table_like)
    }

    /// The keys of a table, such as `space`, with and without values of their own.
    pub(super) fn keys(&self, path: &str) -> Vec<String> {
        let table = self.item(path).and_then(Item::as_table_like);
        let keys = table
            .into_iter()
            .flat_map(|table| table.iter().map(|(key, _)| key.to_owned()));
        keys.collect()
    }

    /// The key whose value stands on a line, counted from 1.
    pub(super) fn key_at(&self, line: usize) -> Option<String> {
        let leaves = self.leaves().into_iter();
        let mut on = leaves.filter(|leaf| leaf.lines.contains(&line));
        on.next().map(|leaf| leaf.path)
    }

    /// The line of a key, counted from 1.
    pub(super) fn line(&self, path: &str) -> Option<usize> {
        let leaves = self.leaves().into_iter();
        let mut of = leaves.filter(|leaf| leaf.path == path);
        of.next().map(|leaf| *leaf.lines.start())
    }

    /// Gives a key a value. Says whether it could: a text that is no TOML has no keys, and what is
    /// a value can hold none.
    pub(super) fn set(&mut self, path: &str, mut value: Value) -> bool {
        let Ok(tree) = &self.tree else {
            return false;
        };
        let mut tree = tree.clone().into_mut();
        let (tables, key) = split(path);
        let mut table: &mut dyn TableLike = tree.as_table_mut();
        for (depth, name) in tables.enumerate() {
            if !table.contains_key(name) {
                let mut new = Table::new();
                // `[space]` gets a heading, `greedy.patience` inside it is written so.
                new.set_dotted(depth > 0);
                table.insert(name, Item::Table(new));
            }
            match table.get_mut(name).and_then(Item::as_table_like_mut) {
                Some(inner) => table = inner,
                None => return false,
            }
        }
        match table.get_mut(key) {
            Some(Item::Value(old)) => {
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
            Some(Item::Table(_) | Item::ArrayOfTables(_)) => return false,
            Some(Item::None) | None => drop(table.insert(key, Item::Value(value))),
        }
        *self = Document::new(tree.to_string());
        true
    }

    /// Takes a key out, or a table with all its keys. A comment above it stays.
    pub(super) fn remove(&mut self, path: &str) {
        while let Some(leaf) = self.leaves().into_iter().find(|leaf| lies_in(leaf, path)) {
            let text = match self.without_lines(&leaf) {
                Some(text) => text,
                None => match self.without(&leaf.path) {
                    Some(text) => text,
                    None => return,
                },
            };
            *self = Document::new(text);
        }
        if let Some(text) = self.without(path) {
            // The heading of a table that has nothing left.
            *self = Document::new(text);
        }
    }

    fn item(&self, path: &str) -> Option<&Item> {
        let tree = self.tree.as_ref().ok()?;
        let mut keys = path.split('.');
        let mut item = tree.as_table().get(keys.next()?)?;
        for key in keys {
            item = item.as_table_like()?.get(key)?;
        }
        Some(item)
    }

    fn leaves(&self) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        if let Ok(tree) = &self.tree {
            gather(tree.as_table(), "", &self.text, &mut leaves);
        }
        leaves
    }

    /// The text without the lines of a key, where nothing else stands on them.
    fn without_lines(&self, leaf: &Leaf) -> Option<String> {
        let start = self.text[..leaf.at.start].rfind('\n').map_or(0, |n| n + 1);
        let end = self.text[leaf.at.end..].find('\n');
        let end = end.map_or(self.text.len(), |n| leaf.at.end + n + 1);
        let rest = self.text[leaf.at.end..end].trim();
        // A dotted key begins before its last part.
        let before = self.text[start..leaf.at.start].trim();
        let is_alone = (before.is_empty() || before.ends_with('.'))
            && (rest.is_empty() || rest.starts_with('#'))
            && !before.contains(['{', '=']);
        is_alone.then(|| format!("{}{}", &self.text[..start], &self.text[end..]))
    }

    /// The text without a key inside braces, or without an empty table.
    fn without(&self, path: &str) -> Option<String> {
        let mut tree = self.tree.as_ref().ok()?.clone().into_mut();
        let (tables, key) = split(path);
        let mut table: &mut dyn TableLike = tree.as_table_mut();
        for name in tables {
            table = table.get_mut(name)?.as_table_like_mut()?;
        }
        table.remove(key)?;
        Some(tree.to_string())
    }
}

/// The tables of a path, and its key.
fn split(path: &str) -> (impl Iterator<Item = &str>, &str) {
    let (tables, key) = path.rsplit_once('.').unwrap_or(("", path));
    (tables.split('.').filter(|name| !name.is_empty()), key)
}

fn lies_in(leaf: &Leaf, path: &str) -> bool {
    let rest = leaf.path.strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn gather(table: &dyn TableLike, prefix: &str, text: &str, leaves: &mut Vec<Leaf>) {
    for (name, item) in table.iter() {
        let path = match prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}.{name}"),
        };
        // The table of a range is a value; that of a scheduler is written with braces seldom, and
        // may be either.
        if let (Some(inner), false) = (item.as_table_like(), item.is_value()) {
            gather(inner, &path, text, leaves);
            continue;
        }
        let key = table.key(name).and_then(|key| key.span());
        let (Some(key), Some(value)) = (key, item.span()) else {
            continue;
        };
        leaves.push(Leaf {
            path,
            lines: line_of(text, key.start)..=line_of(text, value.end),
            at: key.start..value.end,
        });
    }
}

/// The line of a place in a text, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXAMPLES: [&str; 3] = [
        include_str!("../../../../../examples/digits.toml"),
        include_str!("../../../../../examples/diabetes.toml"),
        include_str!("../../../../../examples/wine.toml"),
    ];

    /// Every key that has a value.
    fn paths(document: &Document) -> impl Iterator<Item = String> {
        document.leaves().into_iter().map(|leaf| leaf.path)
    }

    fn comments(text: &str) -> Vec<&str> {
        let lines = text.lines().map(str::trim);
        lines.filter(|line| line.starts_with('#')).collect()
    }

    #[test]
    fn a_value_is_changed_and_nothing_else() {
        let mut document = Document::new("# why\nseed = 1 # lucky\n\n[data] # rows\npath = 'a'\n");
        assert!(document.set("seed", 7.into()));
        assert!(document.set("data.path", "b.csv".into()));
        assert!(document.set("space.lr", 0.5.into()));
        assert!(document.set("space.greedy.patience", 3.into()));
        assert_eq!(
            document.text(),
            "# why\nseed = 7 # lucky\n\n[data] # rows\npath = \"b.csv\"\n\n[space]\nlr = 0.5\n\
             greedy.patience = 3\n"
        );
        assert_eq!(document.key_at(9).as_deref(), Some("space.greedy.patience"));
        assert_eq!(document.line("data.path"), Some(5));
    }

    #[test]
    fn a_key_goes_and_what_stands_above_it_stays() {
        let text = "# head\nseed = 1 # lucky\n[space]\n# two\nlayers = [\n  1,\n  2,\n]\n\
                    greedy.patience = 3\ngreedy.factor = 0.5\nwidth = 4\n";
        let mut document = Document::new(text);
        document.remove("seed");
        document.remove("space.layers");
        document.remove("space.greedy");
        document.remove("space.nothing");
        assert_eq!(document.text(), "# head\n[space]\n# two\nwidth = 4\n");
    }

    #[test]
    fn tables_may_be_written_in_every_way() {
        for text in [
            "[space]\ngreedy.patience = 3\ngreedy.factor = 0.5\n",
            "[space.greedy]\npatience = 3\nfactor = 0.5\n",
            "[space]\ngreedy = { patience = 3, factor = 0.5 }\n",
            "space = { greedy = { patience = 3, factor = 0.5 } }\n",
            "space.greedy.patience = 3\nspace.greedy.factor = 0.5\n",
        ] {
            let mut document = Document::new(text);
            assert_eq!(document.keys("space.greedy"), ["patience", "factor"]);
            assert!(document.set("space.greedy.patience", 4.into()), "{text}");
            assert!(document.set("space.greedy.cooldown", 5.into()), "{text}");
            assert!(document.set("space.rex.warmup", 0.1.into()), "{text}");
            assert_eq!(document.whole("space.greedy.patience"), Some(4));
            assert_eq!(document.whole("space.greedy.cooldown"), Some(5), "{text}");
            document.remove("space.greedy.factor");
            assert_eq!(document.keys("space.greedy"), ["patience", "cooldown"]);
            document.remove("space.greedy");
            assert_eq!(document.keys("space"), ["rex"], "{text}");
            assert!(!document.text().contains("greedy"), "{}", document.text());
        }
    }

    #[test]
    fn what_is_no_toml_says_where() {
        let mut document = Document::new("seed = 1\n[data\n");
        assert_eq!(document.fault().unwrap().line, 2);
        assert!(!document.set("seed", 2.into()));
        assert_eq!(document.text(), "seed = 1\n[data\n");
        let mut document = Document::new("data = 1\n");
        assert!(!document.set("data.path", "x".into()));
    }

    proptest! {
        /// Whatever is set is read back, everything else reads as before, comments survive, and
        /// what is taken out again is gone.
        #[test]
        fn a_key_that_is_set_reads_back(
            example in 0..EXAMPLES.len(),
            key in prop::sample::select(vec![
                "name", "seed", "trials", "budget", "parallel", "data.path", "data.target",
                "data.test", "objective.metric", "fidelity.eta", "fidelity.min_epochs", "space.lr",
                "space.scheduler", "space.dropout", "space.greedy.patience", "steering.max_lr",
            ]),
            number in any::<i32>(),
            word in "\\PC{0,12}",
            as_word in any::<bool>(),
        ) {
            let before = Document::new(EXAMPLES[example]);
            let mut document = before.clone();
            let value: Value = match as_word {
                true => word.clone().into(),
                false => i64::from(number).into(),
            };
            prop_assert!(document.set(key, value));
            match as_word {
                true => prop_assert_eq!(document.word(key), Some(word.as_str())),
                false => prop_assert_eq!(document.whole(key), Some(number.into())),
            }
            prop_assert_eq!(comments(document.text()), comments(before.text()));
            for other in paths(&before).filter(|path| path != key) {
                let shown = |document: &Document| document.get(&other).map(ToString::to_string);
                prop_assert_eq!(shown(&document), shown(&before), "{}", other);
            }
            document.remove(key);
            prop_assert!(document.get(key).is_none());
            prop_assert_eq!(comments(document.text()), comments(before.text()));
            let left = paths(&before).filter(|path| path != key).count();
            prop_assert_eq!(paths(&document).count(), left);
        }
    }
}
