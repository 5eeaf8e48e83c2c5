//! The OpenAPI document.

use attune_protocol::endpoint::{ALL, Method};
use attune_protocol::openapi;
use serde_json::Value;
use std::path::Path;

#[test]
fn the_document_that_is_checked_in_is_the_one_of_the_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let text = serde_json::to_string_pretty(&openapi()).unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        there == text,
        "{} is not what the code says: run this test with UPDATE_OPENAPI=1 and look at the diff",
        file.display()
    );
}

#[test]
fn every_endpoint_is_described() {
    let document = openapi();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut operations = 0;
    for path in document["paths"].as_object().unwrap().values() {
        operations += path.as_object().unwrap().len();
    }
    assert_eq!(operations, ALL.len());
    for route in ALL {
        let method = match route.method {
            Method::Get => "get",
            Method::Post => "post",
            Method::Delete => "delete",
        };
        let operation = &document["paths"][route.path][method];
        assert_eq!(operation["operationId"], route.name.to_lowercase());
        assert!(!operation["summary"].as_str().unwrap().is_empty());
        assert!(operation["responses"]["200"].is_object());
        for code in route.problems() {
            let response = &operation["responses"][code.status().to_string()];
            assert!(response.is_object(), "{} {code:?}", route.name);
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = openapi();
    let mut references = Vec::new();
    each(&document, &mut |value| {
        if let Some(Value::String(reference)) = value.get("$ref") {
            references.push(reference.clone());
        }
    });
    assert!(references.len() > 100, "{}", references.len());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn everything_has_a_description() {
    let document = openapi();
    let mut missing = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        if schema.get("description").is_none() {
            missing.push(name.clone());
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (property, schema) in properties.into_iter().flatten() {
            // Where it is a reference or null, the description stands with the reference.
            let described = |schema: &Value| {
                schema.get("description").is_some() || schema.get("$ref").is_some()
            };
            let either = schema.get("oneOf").and_then(Value::as_array);
            if !described(schema) && !either.is_some_and(|any| any.iter().any(described)) {
                missing.push(format!("{name}.{property}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// Names are strings in JSON, whatever they are in Rust, and a tuple has an end.
#[test]
fn what_json_schema_gets_wrong_easily_is_right() {
    let document = openapi();
    let mut tuples = 0;
    each(&document, &mut |schema| {
        if let Some(names) = schema.get("propertyNames") {
            assert_eq!(names["type"], "string", "{schema}");
        }
        if let Some(items) = schema.get("prefixItems").and_then(Value::as_array) {
            tuples += 1;
            assert_eq!(schema["minItems"], items.len(), "{schema}");
            assert_eq!(schema["items"], false, "{schema}");
        }
        // What takes anything also takes null, and then it is not one of the two.
        for one in schema
            .get("oneOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let anything = one.get("type").or(one.get("$ref")).or(one.get("allOf"));
            assert!(anything.or(one.get("oneOf")).is_some(), "{schema}");
        }
    });
    // A curve's points, what a schedule did (rates and losses), and a picture's size.
    assert_eq!(tuples, 4);
}

fn each(value: &Value, visit: &mut impl FnMut(&Value)) {
    visit(value);
    match value {
        Value::Array(values) => values.iter().for_each(|value| each(value, visit)),
        Value::Object(values) => values.values().for_each(|value| each(value, visit)),
        _ => {}
    }
}
