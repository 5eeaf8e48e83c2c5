//! From a plain text file to tokens in a row.

use super::error::DataError;
use super::features::Features;
use super::split::Shares;
use super::table::read_file;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// The most tokens that are seen at once.
pub(crate) const MAX_CONTEXT: usize = 1024;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextLevel {
    /// A byte.
    Byte,
    /// A character: a Unicode scalar value.
    #[default]
    Char,
}

/// How a text becomes a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextOptions {
    /// What a token is.
    pub level: TextLevel,
    /// How many tokens are seen at once.
    pub context: usize,
    /// How the text is shared between training, validation and test, in this order: its parts stay
    /// in one piece each.
    pub shares: Shares,
    /// The tokens' numbers, where they are known already: those of a base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<Vocabulary>,
}

impl Default for TextOptions {
    fn default() -> Self {
        TextOptions {
            level: TextLevel::default(),
            context: 64,
            shares: Shares::default(),
            vocabulary: None,
        }
    }
}

/// The tokens of a text, by which they are numbered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "level")]
pub enum Vocabulary {
    /// All 256 bytes.
    Byte,
    /// The characters of the training part, and after them one token for every other.
    Char {
        /// In ascending order.
        characters: String,
    },
}

impl Vocabulary {
    /// How many tokens there are.
    pub fn size(&self) -> usize {
        match self {
            Vocabulary::Byte => 256,
            Vocabulary::Char { characters } => characters.chars().count() + 1,
        }
    }

    /// The text of a token: a byte that is no ASCII and an unknown character are U+FFFD.
    pub fn told(&self, token: usize) -> char {
        let known = match self {
            Vocabulary::Byte => u8::try_from(token)
                .ok()
                .filter(u8::is_ascii)
                .map(char::from),
            Vocabulary::Char { characters } => characters.chars().nth(token),
        };
        known.unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    /// A text's tokens. They are whole numbers below 2²⁴, so that they are exact.
    pub(crate) fn tokens(&self, text: &str) -> Vec<f32> {
        match self {
            Vocabulary::Byte => text.bytes().map(f32::from).collect(),
            Vocabulary::Char { characters } => {
                let known: Vec<char> = characters.chars().collect();
                let token = |c| known.binary_search(&c).unwrap_or(known.len()) as f32;
                text.chars().map(token).collect()
            }
        }
    }
}

/// A text as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    name: String,
    text: String,
}

impl Text {
    /// Reads a text file.
    ///
    /// # Errors
    /// A file that is missing, larger than 1 GiB, empty or not UTF-8.
    pub fn read(path: &Path) -> Result<Text, DataError> {
        let bytes = read_file(path)?;
        Text::parse(&path.display().to_string(), &bytes)
    }

    /// What messages call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How many characters it has.
    pub fn characters(&self) -> usize {
        self.text.chars().count()
    }

    /// Takes a text in; `name` is what messages call it.
    ///
    /// # Errors
    /// As for [`Text::read`].
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Text, DataError> {
        Ok(Text {
            name: name.into(),
            text: super::table::decode(name, bytes)?.to_owned(),
        })
    }
}

/// The three parts' tokens, each in the order of the text.
pub(super) struct Read {
    pub(super) vocabulary: Vocabulary,
    pub(super) parts: [Features; 3],
}

/// Cuts a text into its parts, so that no window of one reaches into another, and numbers its tokens
/// by what the training part has, unless they are numbered already.
pub(super) fn read(text: &Text, options: &TextOptions) -> Result<Read, DataError> {
    let &TextOptions {
        level,
        context,
        shares,
        ref vocabulary,
    } = options;
    if !(1..=MAX_CONTEXT).contains(&context) {
        return Err(DataError::BadContext {
            found: context,
            most: MAX_CONTEXT,
        });
    }
    let counts = shares.of(text.text.len())?;
    // No character is cut in two.
    let (train, rest) = text.text.split_at(text.text.floor_char_boundary(counts[0]));
    let (valid, test) = rest.split_at(rest.floor_char_boundary(counts[1]));
    let parts = [train, valid, test];
    let vocabulary = match (vocabulary, level) {
        (Some(vocabulary), _) => vocabulary.clone(),
        (None, TextLevel::Byte) => Vocabulary::Byte,
        (None, TextLevel::Char) => {
            let known: BTreeSet<char> = parts[0].chars().collect();
            Vocabulary::Char {
                characters: known.into_iter().collect(),
            }
        }
    };
    let features = |part: &str, name, room: usize| {
        let tokens = vocabulary.tokens(part);
        // Each token of a row is followed by one.
        let rows = (tokens.len() + 1).saturating_sub(room) / context;
        let is_none = name == "test" && shares.test == 0.0;
        match rows > 0 || is_none {
            true => Ok(Features::of_text(context, rows, tokens)),
            false => Err(DataError::ShortText {
                file: text.name.clone(),
                part: name,
                tokens: tokens.len(),
                least: context + room - 1,
                context,
            }),
        }
    };
    let [train, valid, test] = parts;
    let parts = [
        // Training windows begin at another token in each epoch, up to the last of the first row.
        features(train, "training", context + 1)?,
        features(valid, "validation", 2)?,
        features(test, "test", 2)?,
    ];
    Ok(Read { vocabulary, parts })
}

#[cfg(test)]
mod tests {
    use super::{Shares, Text, TextLevel, TextOptions, Vocabulary, read};

    fn options(level: TextLevel, context: usize) -> TextOptions {
        TextOptions {
            level,
            context,
            shares: Shares {
                train: 0.5,
                valid: 0.25,
                test: 0.25,
            },
            vocabulary: None,
        }
    }

    fn text(text: &str) -> Text {
        Text::parse("a.txt", text.as_bytes()).unwrap()
    }

    #[test]
    fn a_text_is_split_by_position_and_numbered_by_its_training_part() {
        let found = read(&text("abbacababcxyabab"), &options(TextLevel::Char, 2)).unwrap();
        assert_eq!(
            found.vocabulary,
            Vocabulary::Char {
                characters: "abc".into()
            }
        );
        assert_eq!(found.vocabulary.size(), 4);
        let parts = found.parts.each_ref().map(|part| part.data());
        assert_eq!(parts[0], [0.0, 1.0, 1.0, 0.0, 2.0, 0.0, 1.0, 0.0]);
        assert_eq!(parts[1], [1.0, 2.0, 3.0, 3.0]);
        assert_eq!(parts[2], [0.0, 1.0, 0.0, 1.0]);
        let told: String = (0..5).map(|token| found.vocabulary.told(token)).collect();
        assert_eq!(told, "abc\u{fffd}\u{fffd}");
    }

    #[test]
    fn bytes_are_tokens_of_their_own() {
        let found = read(&text(&"é!".repeat(8)), &options(TextLevel::Byte, 4)).unwrap();
        assert_eq!(found.vocabulary.size(), 256);
        assert_eq!(found.parts[0].data()[..4], [195.0, 169.0, 33.0, 195.0]);
        // No character is cut in two.
        let lengths = found.parts.each_ref().map(|part| part.data().len());
        assert_eq!(lengths, [12, 6, 6]);
    }

    #[test]
    fn windows_are_cut_from_the_text_without_copies() {
        let found = read(&text(&"abcd".repeat(8)), &options(TextLevel::Char, 3)).unwrap();
        let train = &found.parts[0];
        assert_eq!((train.data().len(), train.rows()), (16, 4));
        assert_eq!(train.row(2), [2.0, 3.0, 0.0]);
        assert_eq!(train.following(2), [3.0, 0.0, 1.0]);
    }

    #[test]
    fn an_epoch_sees_a_text_once_and_cuts_it_elsewhere_than_the_last() {
        let found = read(&text(&"abcdefg".repeat(40)), &options(TextLevel::Char, 9)).unwrap();
        let train = &found.parts[0];
        let mut cuts = std::collections::BTreeSet::new();
        for epoch in 0..50 {
            let mut order = train.order(3, epoch);
            assert_eq!(order.len(), train.rows());
            assert_ne!(order, train.order(3, epoch + 1));
            order.sort_unstable();
            cuts.insert(order[0]);
            assert!(order[0] < 9 && order.windows(2).all(|pair| pair[1] == pair[0] + 9));
            // What follows the last row's last token exists too.
            let last = *order.last().unwrap() as usize;
            assert_eq!(train.following(last).len(), 9);
        }
        assert_eq!(cuts.len(), 9);
    }

    #[test]
    fn short_texts_and_odd_contexts_are_refused() {
        let told = |letters: &str, context| {
            let error = read(&text(letters), &options(TextLevel::Char, context));
            error.err().unwrap().to_string()
        };
        assert!(told("abcdefgh", 3).starts_with("a.txt: its training part has 4 tokens, but"));
        assert!(told("abcdefgh", 2).starts_with("a.txt: its validation part has 2 tokens, but"));
        assert!(told("", 2).starts_with("a.txt: its training part has 0 tokens, but"));
        assert!(told("abcdefgh", 0).starts_with("`context` is 0, but"));
        let not_text = Text::parse("a.txt", &[b'a', 0xff]).unwrap_err();
        assert!(not_text.to_string().contains("not UTF-8"));
    }
}
