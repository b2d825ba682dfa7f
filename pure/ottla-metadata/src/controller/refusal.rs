//! `Refusal`: a Kafka error code with the words that go with it.

use ottla_protocol::{ErrorCode, Str};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: ErrorCode,
    /// Nothing where the code says it all.
    pub message: Option<Str>,
}

impl Refusal {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(Str::from(message.into())) }
    }

    pub fn bare(code: ErrorCode) -> Self {
        Self { code, message: None }
    }

    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    pub(super) fn invalid_config(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidConfig, message)
    }
}
