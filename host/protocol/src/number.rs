//! Floats that survive JSON.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A 64-bit float whose NaN and infinities survive JSON.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Number(pub f64);

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Number(value)
    }
}

impl From<Number> for f64 {
    fn from(number: Number) -> Self {
        number.0
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if !serializer.is_human_readable() => serializer.serialize_f64(value),
            value if value.is_finite() => serializer.serialize_f64(value),
            value if value.is_nan() => serializer.serialize_str("NaN"),
            value if value > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(NumberVisitor)
        } else {
            f64::deserialize(deserializer).map(Number)
        }
    }
}

/// A 32-bit float whose NaN and infinities survive JSON.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Single(pub f32);

impl Serialize for Single {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if !serializer.is_human_readable() => serializer.serialize_f32(value),
            // Each 32-bit float is a 64-bit one too, and comes back as itself.
            value => Number(value.into()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Single {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Number::deserialize(deserializer).map(|number| Single(number.0 as f32))
        } else {
            f32::deserialize(deserializer).map(Single)
        }
    }
}

impl PartialSchema for Number {
    fn schema() -> RefOr<Schema> {
        let finite = ObjectBuilder::new().schema_type(Type::Number);
        let others = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["NaN", "Infinity", "-Infinity"]));
        let either = OneOfBuilder::new().item(finite).item(others);
        either
            .description(Some("A number; NaN and the infinities as words."))
            .into()
    }
}

impl ToSchema for Number {}

impl PartialSchema for Single {
    fn schema() -> RefOr<Schema> {
        Number::schema()
    }
}

impl ToSchema for Single {}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
        Ok(Number(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        match text {
            "NaN" => Ok(Number(f64::NAN)),
            "Infinity" => Ok(Number(f64::INFINITY)),
            "-Infinity" => Ok(Number(f64::NEG_INFINITY)),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_survives_json() {
        let table = [
            (1.5, "1.5"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (-0.0, "-0.0"),
        ];
        for (value, json) in table {
            assert_eq!(serde_json::to_string(&Number(value)).unwrap(), json);
            let back: Number = serde_json::from_str(json).unwrap();
            assert_eq!(back.0.to_bits(), value.to_bits(), "{json}");
        }
        assert_eq!(serde_json::from_str::<Number>("3").unwrap(), Number(3.0));
        assert_eq!(serde_json::to_string(&Single(f32::NAN)).unwrap(), "\"NaN\"");
        assert!(serde_json::from_str::<Number>("\"nan\"").is_err());
    }

    #[test]
    fn the_compact_form_keeps_every_bit() {
        for bits in [0, 1, 0x7ff8_0000_0000_0001, 0xfff0_0000_0000_0000, u64::MAX] {
            let number = Number(f64::from_bits(bits));
            let bytes = postcard::to_allocvec(&number).unwrap();
            assert_eq!(bytes.len(), 8);
            let back: Number = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(back.0.to_bits(), bits);
        }
        let single = Single(0.1);
        let bytes = postcard::to_allocvec(&single).unwrap();
        assert_eq!(bytes.len(), 4);
        assert_eq!(postcard::from_bytes::<Single>(&bytes).unwrap(), single);
        let json = serde_json::to_string(&single).unwrap();
        assert_eq!(serde_json::from_str::<Single>(&json).unwrap(), single);
    }
}
