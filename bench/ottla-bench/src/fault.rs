//! Why a measurement could not be made, in words for the person who asked for it.

use std::fmt;

#[derive(Debug, Clone)]
pub(crate) struct Fault(String);

pub(crate) type Outcome<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Fault(text.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Fault(error.to_string())
    }
}

impl From<ottla_protocol::EncodeError> for Fault {
    fn from(error: ottla_protocol::EncodeError) -> Self {
        Fault(format!("cannot encode a request: {error}"))
    }
}

impl From<ottla_protocol::DecodeError> for Fault {
    fn from(error: ottla_protocol::DecodeError) -> Self {
        Fault(format!("cannot read an answer: {error}"))
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Fault(format!("JSON: {error}"))
    }
}
