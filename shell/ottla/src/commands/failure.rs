//! Why a command failed: what is said, and with which number the program ends.

use ottla_client::Error;
use ottla_protocol::ErrorCode;

use crate::exit::Exit;
use crate::output;

/// A command that could not do what was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The cluster, or the way to it.
    Client(Error),
    /// What was given does not make sense.
    Input(String),
    /// Standard input or output, a file, a process.
    Io(std::io::Error),
    /// What was named is not there.
    NotFound(String),
    /// Anything else that went wrong.
    Other(String),
}

impl Failure {
    /// Says it on standard error.
    pub(super) fn tell(&self) -> Exit {
        let text = match self {
            Failure::Client(error) => error.to_string(),
            Failure::Input(text) | Failure::NotFound(text) | Failure::Other(text) => text.clone(),
            Failure::Io(error) => error.to_string(),
        };
        output::complain(&format!("error: {text}"));
        self.exit()
    }

    fn exit(&self) -> Exit {
        match self {
            Failure::Input(_) => Exit::Usage,
            Failure::NotFound(_) => Exit::NotFound,
            Failure::Io(_) | Failure::Other(_) => Exit::Failed,
            Failure::Client(error) => exit_of(error),
        }
    }

    /// Whether the thing asked for is not there.
    pub(super) fn is_not_found(&self) -> bool {
        self.exit() == Exit::NotFound
    }

    /// Whether Kafka answered with this code.
    pub(super) fn is(&self, code: ErrorCode) -> bool {
        matches!(self, Failure::Client(error) if error.code() == Some(code))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Client(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::Io(error)
    }
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Connect { .. } | Error::Disconnected { .. } | Error::Protocol { .. } => {
            Exit::CannotConnect
        }
        Error::Timeout { .. } => Exit::TimedOut,
        Error::Answer { code, .. } => match code {
            ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::GroupIdNotFound => Exit::NotFound,
            ErrorCode::TopicAuthorizationFailed
            | ErrorCode::GroupAuthorizationFailed
            | ErrorCode::ClusterAuthorizationFailed
            | ErrorCode::SaslAuthenticationFailed => Exit::Denied,
            ErrorCode::RequestTimedOut => Exit::TimedOut,
            _ => Exit::Failed,
        },
        _ => Exit::Failed,
    }
}
