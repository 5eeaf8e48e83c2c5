//! JSON as Python writes it: with `NaN`, `Infinity` and `-Infinity` as numbers.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::borrow::Cow;

/// What stands before the words in texts that were numbers. Nothing else writes such a text.
const MARK: &str = "\0";

/// Reads JSON; a number that JSON has no form for becomes a text that [`float`] knows.
pub(super) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(&proper(bytes))
}

/// A number, finite or not.
pub(super) fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.strip_prefix(MARK)? {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// Puts the words in quotes, with the mark.
fn proper(bytes: &[u8]) -> Cow<'_, [u8]> {
    const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let may_hold = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
    if !may_hold(b"NaN") && !may_hold(b"Infinity") {
        return Cow::Borrowed(bytes);
    }
    let mut proper = Vec::with_capacity(bytes.len() + 16);
    let mut rest = bytes;
    let (mut in_text, mut escaped) = (false, false);
    while let Some((&byte, after)) = rest.split_first() {
        let word = WORDS.into_iter().find(|word| rest.starts_with(word));
        if let (false, Some(word)) = (in_text, word) {
            proper.extend(br#""\u0000"#);
            proper.extend(word);
            proper.push(b'"');
            rest = rest.get(word.len()..).unwrap_or_default();
            continue;
        }
        match byte {
            b'"' if !escaped => in_text = !in_text,
            _ => {}
        }
        escaped = in_text && byte == b'\\' && !escaped;
        proper.push(byte);
        rest = after;
    }
    Cow::Owned(proper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_numbers_are_read_and_texts_left_alone() {
        let line = br#"{"a":NaN,"b":[-Infinity,Infinity,1e400],"NaN":"a \"NaN\\","c":"Infinity"}"#;
        assert!(from_slice::<Value>(line).is_err(), "1e400 is no float");
        let line = br#"{"a":NaN,"b":[-Infinity,Infinity,2],"NaN":"a \"NaN\\","c":"Infinity"}"#;
        let value: Value = from_slice(line).unwrap();
        assert!(float(&value["a"]).unwrap().is_nan());
        assert_eq!(float(&value["b"][0]), Some(f64::NEG_INFINITY));
        assert_eq!(float(&value["b"][1]), Some(f64::INFINITY));
        assert_eq!(float(&value["b"][2]), Some(2.0));
        assert_eq!(value["NaN"], "a \"NaN\\");
        assert_eq!(float(&value["c"]), None);
        assert!(matches!(proper(br#"{"a":1}"#), Cow::Borrowed(_)));
    }
}
