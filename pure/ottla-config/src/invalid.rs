//! A value that a key does not take, in Kafka's own words.

use std::fmt;

/// Why one value of one key was refused. Prints as Kafka's ConfigException does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The key, as the user wrote it.
    pub key: String,
    /// The value, or nothing where a value is missing or secret.
    pub value: Option<String>,
    /// What was expected.
    pub reason: String,
}

impl Invalid {
    pub fn new(key: &str, value: Option<&str>, reason: impl Into<String>) -> Self {
        Self { key: key.to_owned(), value: value.map(str::to_owned), reason: reason.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.as_deref().unwrap_or("null");
        write!(f, "Invalid value {value} for configuration {}: {}", self.key, self.reason)
    }
}

impl std::error::Error for Invalid {}
