//! The real world: tokio and the operating system. The only place that names either.

mod clock;
mod dedicated;
mod disk;
mod env;
mod file;
mod limits;
mod net;
mod pool;
mod process;
mod signals;

#[cfg(test)]
mod tests;

pub use clock::OsSleep;
pub use dedicated::block_on;
pub use disk::{OsDisk, OsLock};
pub use env::{OsEnv, run};
pub use file::OsFile;
pub use limits::{give_back_memory, raise_file_limit, use_small_pages};
pub use net::{LISTEN_BACKLOG, OsListener, OsReader, OsStream, OsWriter};
pub use process::{OsProcess, end_with_parent};
pub use signals::{ShutdownSignals, Signal, shutdown_signal};
