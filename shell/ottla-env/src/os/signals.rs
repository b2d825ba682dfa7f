//! The two signals that ask a process to end.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// Which one came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A service supervisor asks.
    Terminate,
    /// A human pressed ctrl-c.
    Interrupt,
}

/// SIGTERM and SIGINT as they come. From the moment it is made, neither ends the process by itself.
pub struct ShutdownSignals {
    terminate: Stream,
    interrupt: Stream,
}

/// Starts to listen for the signals. Must be called within a tokio runtime.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn shutdown_signal() -> io::Result<ShutdownSignals> {
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    Ok(ShutdownSignals { terminate, interrupt })
}

impl ShutdownSignals {
    /// The next signal. A second one usually means: now, without grace.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
    }
}
