//! Messages as JSON, in the form Kafka's own converters give it, and random values for tests. Nothing on the
//! wire goes through here.

mod base64;
mod random;

use std::fmt;

use bytes::Bytes;

use crate::str::Str;
use crate::uuid::Uuid;

pub use random::Random;
pub use serde_json::{Map, Value};

/// A field's name and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError(String);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JsonError {}

/// Implemented by every message and structure, and by what their fields hold.
pub trait Json: Sized {
    /// The fields that `version` has; tagged ones only where they are not at their default.
    fn to_json(&self, version: i16) -> Value;
    fn from_json(json: &Value, version: i16) -> Result<Self, JsonError>;
    /// A value that `version` can carry.
    fn random(random: &mut Random, version: i16) -> Self;
}

/// An object that holds this name leaves the fields it does not give at their defaults.
pub const DEFAULTS: &str = "...";

/// The field of an object; one that is not tagged must be there, unless the object says [`DEFAULTS`].
pub(crate) fn field<'a>(
    object: &'a Value,
    name: &str,
    mandatory: bool,
) -> Result<Option<&'a Value>, JsonError> {
    match object.get(name) {
        Some(value) => Ok(Some(value)),
        None if mandatory && object.get(DEFAULTS).is_none() => {
            Err(JsonError(format!("{name} is missing")))
        }
        None => Ok(None),
    }
}

fn unexpected(wanted: &str, found: &Value) -> JsonError {
    JsonError(format!("expected {wanted}, found {found}"))
}

macro_rules! integers {
    ($($type:ty),*) => {
        $(impl Json for $type {
            fn to_json(&self, _: i16) -> Value {
                Value::from(*self)
            }

            fn from_json(json: &Value, _: i16) -> Result<Self, JsonError> {
                let number = json.as_i64().and_then(|n| <$type>::try_from(n).ok());
                number.ok_or_else(|| unexpected(stringify!($type), json))
            }

            fn random(random: &mut Random, _: i16) -> Self {
                random.number() as $type
            }
        })*
    };
}

integers!(i8, i16, u16, i32, u32, i64);

impl Json for bool {
    fn to_json(&self, _: i16) -> Value {
        Value::from(*self)
    }

    fn from_json(json: &Value, _: i16) -> Result<Self, JsonError> {
        json.as_bool().ok_or_else(|| unexpected("a boolean", json))
    }

    fn random(random: &mut Random, _: i16) -> Self {
        random.chance(2)
    }
}

impl Json for f64 {
    fn to_json(&self, _: i16) -> Value {
        Value::from(*self)
    }

    fn from_json(json: &Value, _: i16) -> Result<Self, JsonError> {
        json.as_f64().ok_or_else(|| unexpected("a number", json))
    }

    /// A multiple of 1/64, so that its decimal form is exact.
    fn random(random: &mut Random, _: i16) -> Self {
        random.number() as i32 as f64 / 64.0
    }
}

impl Json for Str {
    fn to_json(&self, _: i16) -> Value {
        Value::from(self.as_str())
    }

    fn from_json(json: &Value, _: i16) -> Result<Self, JsonError> {
        json.as_str().map(Str::copy_from).ok_or_else(|| unexpected("a string", json))
    }

    fn random(random: &mut Random, _: i16) -> Self {
        Str::from(random.text())
    }
}

impl Json for Bytes {
    fn to_json(&self, _: i16) -> Value {
        Value::from(base64::encode(self))
    }

    fn from_json(json: &Value, _: i16) -> Result<Self, JsonError> {
        let text = json.as_str().ok_or_else(|| unexpected("base64", json))?;
        base64::decode(text).map(Bytes::from).ok_or_else(|| unexpected("base64", json))
    }

    fn random(random: &mut Random, _: i16) -> Self {
        random.bytes()
    }
}

impl Json for Uuid {
    fn to_json(&self, _: i16) -> Value {
        Value::from(self.to_string())
    }

    fn from_json(json: &Value, _: i16) -> Result<Self, JsonError> {
        let id = json.as_str().and_then(|text| text.parse().ok());
        id.ok_or_else(|| unexpected("an id", json))
    }

    fn random(random: &mut Random, _: i16) -> Self {
        Uuid::from_halves(random.number() as u64, random.number() as u64)
    }
}

impl<T: Json> Json for Option<T> {
    fn to_json(&self, version: i16) -> Value {
        self.as_ref().map_or(Value::Null, |value| value.to_json(version))
    }

    fn from_json(json: &Value, version: i16) -> Result<Self, JsonError> {
        match json {
            Value::Null => Ok(None),
            json => T::from_json(json, version).map(Some),
        }
    }

    fn random(random: &mut Random, version: i16) -> Self {
        if random.chance(4) { None } else { Some(T::random(random, version)) }
    }
}

impl<T: Json> Json for Vec<T> {
    fn to_json(&self, version: i16) -> Value {
        self.iter().map(|value| value.to_json(version)).collect()
    }

    fn from_json(json: &Value, version: i16) -> Result<Self, JsonError> {
        let values = json.as_array().ok_or_else(|| unexpected("an array", json))?;
        values.iter().map(|value| T::from_json(value, version)).collect()
    }

    fn random(random: &mut Random, version: i16) -> Self {
        let length = random.array_length();
        let values = (0..length).map(|_| T::random(random, version)).collect();
        random.array_done();
        values
    }
}
