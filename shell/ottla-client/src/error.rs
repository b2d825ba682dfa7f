//! Why a call failed, said so that the reader knows what to do next.

use std::fmt;
use std::time::Duration;

use ottla_protocol::ErrorCode;

/// A failure. Cheap to clone: one broken connection fails many calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// No connection came about.
    Connect { address: String, reason: String },
    /// The connection ended before the answer.
    Disconnected { address: String, reason: String },
    /// No answer, or no success, within the time given.
    Timeout { doing: String, after: Duration },
    /// The peer sent what cannot be understood.
    Protocol { address: String, reason: String },
    /// Broker and client share no version of a request.
    Unsupported { api: String, address: String, reason: String },
    /// Kafka's answer was an error.
    Answer { code: ErrorCode, doing: String, message: Option<String> },
    /// Something the caller asked for cannot be.
    Invalid(String),
    /// The producer, consumer or client was closed.
    Closed,
}

/// What a call answers with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error answer, by its code on the wire; `doing` completes "cannot ...".
    pub fn answer(code: i16, doing: impl Into<String>, message: Option<&str>) -> Error {
        let known = ErrorCode::from_code_or_unknown(code);
        let message = match (message, ErrorCode::from_code(code)) {
            (Some(text), _) if !text.is_empty() => Some(text.to_owned()),
            (_, None) => Some(format!("error code {code}, which this client does not know")),
            _ => None,
        };
        Error::Answer { code: known, doing: doing.into(), message }
    }

    /// `Ok` for code 0.
    ///
    /// # Errors
    /// [`Error::answer`] for any other.
    pub fn check(code: i16, doing: impl FnOnce() -> String, message: Option<&str>) -> Result<()> {
        if code == 0 { Ok(()) } else { Err(Error::answer(code, doing(), message)) }
    }

    /// Kafka's code, if the answer was one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Error::Answer { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the same call may succeed if it is made again.
    pub fn is_retriable(&self) -> bool {
        match self {
            Error::Connect { .. } | Error::Disconnected { .. } | Error::Timeout { .. } => true,
            Error::Answer { code, .. } => code.is_retriable(),
            _ => false,
        }
    }

    /// Whether no broker could be reached at all.
    pub fn is_connect(&self) -> bool {
        matches!(self, Error::Connect { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Connect { address, reason } => write!(
                f,
                "cannot connect to {address}: {reason}. Is a broker running there, and is the address right?"
            ),
            Error::Disconnected { address, reason } => {
                write!(f, "lost the connection to {address}: {reason}")
            }
            Error::Timeout { doing, after } => {
                write!(f, "{doing}: no success within {} ms", after.as_millis())
            }
            Error::Protocol { address, reason } => write!(
                f,
                "{address} does not answer as a Kafka broker does: {reason}. Is this a plaintext Kafka listener?"
            ),
            Error::Unsupported { api, address, reason } => {
                write!(f, "{address} does not serve {api} in a version known here: {reason}")
            }
            Error::Answer { code, doing, message } => {
                write!(f, "cannot {doing}: {code}")?;
                if let Some(message) = message {
                    write!(f, ": {message}")?;
                }
                match advice(*code) {
                    Some(advice) => write!(f, " ({advice})"),
                    None => Ok(()),
                }
            }
            Error::Invalid(what) => f.write_str(what),
            Error::Closed => f.write_str("closed"),
        }
    }
}

impl std::error::Error for Error {}

/// What to do about a code, where the code alone does not say.
fn advice(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId => {
            "create the topic first, or look for a typing error in its name"
        }
        ErrorCode::TopicAlreadyExists => "use another name, or ask for creation only if missing",
        ErrorCode::InvalidReplicationFactor => "there must be at least as many brokers as replicas",
        ErrorCode::NonEmptyGroup => "stop the members of the group first",
        ErrorCode::GroupIdNotFound => "no such group: it has no members and no committed offsets",
        ErrorCode::MessageTooLarge => {
            "raise max.message.bytes of the topic or send smaller batches"
        }
        ErrorCode::OffsetOutOfRange => "the offset was deleted or not yet written",
        ErrorCode::NotEnoughReplicas | ErrorCode::NotEnoughReplicasAfterAppend => {
            "fewer replicas are in sync than min.insync.replicas asks for"
        }
        ErrorCode::TopicAuthorizationFailed
        | ErrorCode::GroupAuthorizationFailed
        | ErrorCode::ClusterAuthorizationFailed => "an administrator must allow it with an ACL",
        _ => return None,
    })
}
