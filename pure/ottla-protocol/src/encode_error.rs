//! Why a value cannot be written in the asked version: names the message, its version and the field.

use std::fmt;

#[derive(Clone, PartialEq, Eq)]
pub struct EncodeError(Box<Story>);

#[derive(Clone, PartialEq, Eq)]
struct Story {
    message: &'static str,
    version: i16,
    field: &'static str,
    kind: EncodeErrorKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeErrorKind {
    /// The field does not exist in this version, must not be dropped, and holds more than its default.
    NotInVersion,
    /// A null where this version has none.
    UnexpectedNull,
    /// Longer than the type's length prefix can say.
    TooLong(usize),
    /// An unknown tagged field carries the number of a known one.
    TagTaken(u32),
    /// A version this message does not have.
    UnsupportedVersion,
}

impl EncodeError {
    #[cold]
    pub fn new(
        message: &'static str,
        version: i16,
        field: &'static str,
        kind: EncodeErrorKind,
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

    pub fn kind(&self) -> EncodeErrorKind {
        self.0.kind
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Story { message, version, field, kind } = &*self.0;
        write!(f, "{message} v{version}, {field}: ")?;
        match kind {
            EncodeErrorKind::NotInVersion => {
                f.write_str("set to more than its default, but this version does not have it")
            }
            EncodeErrorKind::UnexpectedNull => f.write_str("null in a version that has none"),
            EncodeErrorKind::TooLong(n) => write!(f, "{n} is too long"),
            EncodeErrorKind::TagTaken(tag) => write!(f, "tag {tag} is a known field's"),
            EncodeErrorKind::UnsupportedVersion => f.write_str("unsupported version"),
        }
    }
}

impl fmt::Debug for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodeError({self})")
    }
}

impl std::error::Error for EncodeError {}
