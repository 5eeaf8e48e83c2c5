//! What the schema derives of the wire types leave out, or say for Rust instead of for JSON.

use serde_json::{Map, Value, json};

/// Corrects a document and everything in it.
pub(super) fn correct(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(correct),
        Value::Object(object) => {
            if object.get("in").is_some_and(|place| place == "query") {
                no_null(object);
            }
            whole_numbers(object);
            tuples(object);
            names(object);
            descriptions(object);
            object.values_mut().for_each(correct);
        }
        _ => {}
    }
}

/// A parameter of a query is there or it is not: it is never null.
fn no_null(parameter: &mut Map<String, Value>) {
    let kind = parameter.get_mut("schema").and_then(|s| s.get_mut("type"));
    let Some(kind) = kind else { return };
    let first = kind
        .as_array()
        .and_then(|kinds| kinds.iter().find(|k| *k != "null"));
    if let Some(first) = first.cloned() {
        *kind = first;
    }
}

/// Whole numbers end where their Rust types do, and the formats are called as others call them.
fn whole_numbers(schema: &mut Map<String, Value>) {
    let (format, least, most) = match schema.get("format").and_then(Value::as_str) {
        Some("u-int16") => ("uint16", json!(0), json!(u16::MAX)),
        Some("u-int32") => ("uint32", json!(0), json!(u32::MAX)),
        Some("u-int64") => ("uint64", json!(0), json!(u64::MAX)),
        Some("int64") => ("int64", json!(i64::MIN), json!(i64::MAX)),
        _ => return,
    };
    schema.insert("format".to_owned(), json!(format));
    schema.entry("minimum").or_insert(least);
    schema.entry("maximum").or_insert(most);
}

/// A tuple has all its items.
fn tuples(schema: &mut Map<String, Value>) {
    if let Some(items) = schema.get("prefixItems").and_then(Value::as_array) {
        let count = items.len();
        schema.insert("minItems".to_owned(), json!(count));
    }
}

/// A name is a string in JSON, even where it is a number.
fn names(schema: &mut Map<String, Value>) {
    if let Some(names) = schema.get_mut("propertyNames")
        && names["type"] == "integer"
    {
        *names = json!({"type": "string", "pattern": "^(0|[1-9][0-9]{0,9})$"});
    }
}

/// Doc comments are wrapped and link to each other; neither means anything here.
fn descriptions(object: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = object.get_mut("description") {
        let paragraphs: Vec<String> = text
            .replace("[`", "`")
            .replace("`]", "`")
            .split("\n\n")
            .map(|paragraph| paragraph.replace('\n', " "))
            .collect();
        *text = paragraphs.join("\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_corrected_wherever_they_are() {
        let table = [
            (
                json!({"a": [{"format": "u-int16", "minimum": 1, "type": "integer"}]}),
                json!({"a": [{"format": "uint16", "minimum": 1, "maximum": 65535, "type": "integer"}]}),
            ),
            (
                json!({"prefixItems": [{}, {"format": "double"}], "items": false}),
                json!({"prefixItems": [{}, {"format": "double"}], "items": false, "minItems": 2}),
            ),
            (
                json!({"propertyNames": {"type": "integer", "format": "u-int32"}}),
                json!({"propertyNames": {"type": "string", "pattern": "^(0|[1-9][0-9]{0,9})$"}}),
            ),
            (
                json!({"in": "query", "schema": {"type": ["string", "null"]}}),
                json!({"in": "query", "schema": {"type": "string"}}),
            ),
            (
                json!({"in": "path", "schema": {"type": ["string", "null"]}}),
                json!({"in": "path", "schema": {"type": ["string", "null"]}}),
            ),
            (
                json!({"description": "A [`B::C`]\nd.\n\nE."}),
                json!({"description": "A `B::C` d.\n\nE."}),
            ),
        ];
        for (mut value, corrected) in table {
            correct(&mut value);
            assert_eq!(value, corrected);
        }
    }
}
