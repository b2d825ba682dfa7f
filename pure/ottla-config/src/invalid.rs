//! A value that a key does not take, in Kafka's own words.

use std::fmt;

/// Why one value of one key was refused. Prints as Kafka's ConfigException does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The key, as the user wrote it.
    pub key: String,
    pub message: String,
}

impl Invalid {
    /// Most refusals: a value, and what was expected of it.
    pub(crate) fn new(key: &str, value: Option<&str>, reason: impl fmt::Display) -> Self {
        let value = value.unwrap_or("null");
        Self::whole(key, format!("Invalid value {value} for configuration {key}: {reason}"))
    }

    /// The few that Kafka words in another way.
    pub(crate) fn whole(key: &str, message: String) -> Self {
        Self { key: key.to_owned(), message }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}
