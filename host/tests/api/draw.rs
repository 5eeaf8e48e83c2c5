//! Draws requests from the daemon's own description, with values that nobody expects.

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use serde_json::{Map, Value, json};

/// How deep drawn values go, at most.
const DEEPEST: usize = 6;

/// Draws from a description, and from words that mean something here.
pub struct Draw<'d> {
    pub document: &'d Value,
    /// Names, paths and texts of the home at hand.
    pub words: &'d [String],
    pub random: &'d mut ChaCha8Rng,
}

impl Draw<'_> {
    pub fn often(&mut self, share: f64) -> bool {
        self.random.random_bool(share)
    }

    pub fn one<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        of.choose(self.random).expect("something to choose from")
    }

    pub fn text(&mut self) -> String {
        const TEXTS: [&str; 14] = [
            "",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e999",
            "-0",
            "s0",
            "s1.4294967295",
            "\0",
            "é😀",
            "../..",
            "a\nb",
            "null",
            "%00",
        ];
        match self.random.random_range(0..10) {
            0 => "x".repeat(self.random.random_range(1..100_000)),
            1..5 => (*self.one(&TEXTS)).to_owned(),
            _ => self.one(self.words).clone(),
        }
    }

    pub fn number(&mut self) -> Value {
        let whole = self.random.random_range(0..5);
        self.one(&[
            json!(whole),
            json!(0),
            json!(-1),
            json!(65_535),
            json!(u32::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(0.5),
            json!(5e-324),
            json!(-1.7976931348623157e308),
        ])
        .clone()
    }

    /// Any JSON at all.
    pub fn anything(&mut self, depth: usize) -> Value {
        match self.random.random_range(0..7) {
            0 => Value::Null,
            1 => json!(self.often(0.5)),
            2 | 3 => self.number(),
            4 => json!(self.text()),
            5 if depth < DEEPEST => (0..2).map(|_| self.anything(depth + 1)).collect(),
            6 if depth < DEEPEST => {
                let fields = (0..2).map(|_| (self.text(), self.anything(depth + 1)));
                Value::Object(fields.collect())
            }
            _ => json!([]),
        }
    }

    /// A value of a schema, or now and then of none.
    pub fn value(&mut self, schema: &Value, depth: usize) -> Value {
        if depth > DEEPEST || self.often(0.02) {
            return self.anything(depth);
        }
        if let Some(place) = schema["$ref"].as_str() {
            let document = self.document;
            let found = document.pointer(place.trim_start_matches('#'));
            return self.value(found.expect("what is referred to"), depth);
        }
        for several in ["oneOf", "anyOf"] {
            if let Some(schemas) = schema[several].as_array() {
                let schema = self.one(schemas);
                return self.value(schema, depth);
            }
        }
        if let Some(all) = schema["allOf"].as_array() {
            let mut whole = Map::new();
            for part in all {
                if let Value::Object(fields) = self.value(part, depth) {
                    whole.extend(fields);
                }
            }
            return Value::Object(whole);
        }
        if let Some(words) = schema["enum"].as_array() {
            return self.one(words).clone();
        }
        match kind(schema, self.often(0.2)) {
            "object" => self.object(schema, depth),
            "array" => match schema["prefixItems"].as_array() {
                Some(items) => items.iter().map(|i| self.value(i, depth + 1)).collect(),
                None => (0..self.random.random_range(0..3))
                    .map(|_| self.value(&schema["items"], depth + 1))
                    .collect(),
            },
            "integer" | "number" => self.number(),
            "boolean" => json!(self.often(0.5)),
            "string" => json!(self.text()),
            "null" => Value::Null,
            _ => self.anything(depth),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut fields = Map::new();
        let required = schema["required"].as_array();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let must = required.is_some_and(|names| names.contains(&json!(name)));
            if self.often(if must { 0.98 } else { 0.5 }) {
                fields.insert(name.clone(), self.value(field, depth + 1));
            }
        }
        if schema["additionalProperties"].is_object() {
            for _ in 0..self.random.random_range(0..3) {
                let value = self.value(&schema["additionalProperties"], depth + 1);
                fields.insert(self.text(), value);
            }
        }
        Value::Object(fields)
    }

    /// A body for this schema, whole or damaged in some way.
    pub fn body(&mut self, schema: Option<&Value>) -> Vec<u8> {
        let value = match schema {
            Some(schema) => self.value(schema, 0),
            None => self.anything(0),
        };
        let mut body = value.to_string().into_bytes();
        match self.random.random_range(0..20) {
            0 => body.truncate(body.len() / 2),
            1 => body = b"[".repeat(200_000),
            2 => body = br#"{"a":"#.repeat(50_000),
            3 => body = br#"{"parallel":NaN,"trials":Infinity,"holds":-Infinity}"#.to_vec(),
            4 => body.clear(),
            5 => {
                if let Some(at) = body.len().checked_sub(1) {
                    body[at] = 0xff;
                }
            }
            6 => body = format!("{{\"spec\":1{}}}", "0".repeat(100_000)).into_bytes(),
            7 => {
                body = vec![0; 300];
                self.random.fill_bytes(&mut body);
            }
            _ => {}
        }
        body
    }
}

/// The type that a schema asks for; where it also takes null, that now and then.
fn kind(schema: &Value, rather_null: bool) -> &str {
    let kinds = match &schema["type"] {
        Value::String(kind) => return kind,
        Value::Array(kinds) => kinds,
        _ => return "",
    };
    let kinds = kinds.iter().filter_map(Value::as_str);
    let found = kinds.clone().find(|kind| (*kind == "null") == rather_null);
    found.or(kinds.clone().next()).unwrap_or("")
}
