//! Why bytes are not a message: names the message, its version and the field.

use std::fmt;

/// One word wide, so that reading a field stays cheap; the story is behind the pointer.
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Story>);

#[derive(Clone, PartialEq, Eq)]
struct Story {
    message: &'static str,
    version: i16,
    field: &'static str,
    kind: DecodeErrorKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The frame ends inside the field.
    Truncated { needed: usize, remaining: usize },
    /// A length below zero, or above what the type allows.
    InvalidLength(i64),
    /// A null where this version has none.
    UnexpectedNull,
    /// An array of more than 1,000,000 elements.
    TooManyElements(usize),
    /// More than 10,000 tagged fields.
    TooManyTags(usize),
    /// A variable-length number that does not end.
    InvalidVarint,
    /// A tagged field's content is shorter than its announced size.
    TagSize { announced: usize, used: usize },
    /// The decoded values would take more memory than the frame is allowed.
    BudgetExceeded,
    /// The message is done but the frame is not.
    TrailingBytes(usize),
    /// A version this message does not have.
    UnsupportedVersion,
}

impl DecodeError {
    #[cold]
    pub fn new(
        message: &'static str,
        version: i16,
        field: &'static str,
        kind: DecodeErrorKind,
    ) -> Self {
        Self(Box::new(Story { message, version, field, kind }))
    }

    pub fn message(&self) -> &'static str {
        self.0.message
    }

    pub fn version(&self) -> i16 {
        self.0.version
    }

    pub fn field(&self) -> &'static str {
        self.0.field
    }

    pub fn kind(&self) -> DecodeErrorKind {
        self.0.kind
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Story { message, version, field, kind } = &*self.0;
        write!(f, "{message} v{version}, {field}: ")?;
        match kind {
            DecodeErrorKind::Truncated { needed, remaining } => {
                write!(f, "needs {needed} bytes, {remaining} remain")
            }
            DecodeErrorKind::InvalidLength(n) => write!(f, "invalid length {n}"),
            DecodeErrorKind::UnexpectedNull => f.write_str("null in a version that has none"),
            DecodeErrorKind::TooManyElements(n) => write!(f, "{n} elements are too many"),
            DecodeErrorKind::TooManyTags(n) => write!(f, "{n} tagged fields are too many"),
            DecodeErrorKind::InvalidVarint => f.write_str("a varint does not end"),
            DecodeErrorKind::TagSize { announced, used } => {
                write!(f, "tagged field of {announced} bytes uses {used}")
            }
            DecodeErrorKind::BudgetExceeded => f.write_str("would need too much memory"),
            DecodeErrorKind::TrailingBytes(n) => write!(f, "{n} bytes left over"),
            DecodeErrorKind::UnsupportedVersion => f.write_str("unsupported version"),
        }
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeError({self})")
    }
}

impl std::error::Error for DecodeError {}
