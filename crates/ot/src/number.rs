//! Numbers as JSON and other programs write them.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A number that need not be finite; null is not a number.
#[derive(Debug, Clone, Copy)]
pub struct Number(pub f64);

impl Number {
    /// What is not finite, by the names that programs give it.
    pub(crate) fn named<E: de::Error>(name: &str) -> Result<Self, E> {
        match name.to_ascii_lowercase().as_str() {
            "nan" | crate::json::SHORT_NAN => Ok(Self(f64::NAN)),
            "inf" | "+inf" | "infinity" | "+infinity" => Ok(Self(f64::INFINITY)),
            "-inf" | "-infinity" => Ok(Self(f64::NEG_INFINITY)),
            _ => Err(E::invalid_value(de::Unexpected::Str(name), &NumberVisitor)),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number, null, \"NaN\", \"inf\" or \"-inf\"")
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

    fn visit_unit<E>(self) -> Result<Number, E> {
        Ok(Number(f64::NAN))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Number, E> {
        Number::named(value)
    }
}
