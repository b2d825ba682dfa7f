//! How the program ends. The numbers are part of the interface: scripts test for them.

use std::process::ExitCode;

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    /// What clap, too, ends with.
    Usage = 2,
    CannotConnect = 3,
    Denied = 4,
    NotFound = 5,
    TimedOut = 6,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
