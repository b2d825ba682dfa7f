//! The Kafka wire protocol and record formats: every message, every version.
