//! Clock, disk, net, task and random: the one seam between Ottla and the world.
//!
//! Everything above is generic over [`Env`] and runs unchanged on [`os::OsEnv`] (tokio and the
//! operating system) and on `sim::SimEnv` (seeded, one thread, virtual time, a disk that loses what
//! was not synced, a network that misbehaves). Nothing else in the workspace names the operating
//! system. tokio's synchronisation types and `select!` work on both executors and need no seam.
//!
//! Static dispatch only: one type parameter on the few types that touch the world.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

// Lowest floor first; a module uses only those above it.
pub mod time;

pub mod task;

pub mod disk;

pub mod net;

pub mod buffer;

pub mod os;

pub mod sim;

pub use buffer::{AlignedBuffer, BufferWriter, SharedBuffer};
pub use disk::{Advice, Disk, Entry, File, FileKind, LockError, Metadata, OpenOptions};
pub use net::{Listener, Stream};
pub use task::{Stopped, Task};
pub use time::MonoTime;

/// One node's view of the world. Cheap to clone; a clone sees the same node.
pub trait Env: Clone + Send + Sync + 'static {
    /// The file system of this node.
    type Disk: Disk;
    /// A bound, listening socket.
    type Listener: Listener<Stream = Self::Stream>;
    /// A connected byte stream.
    type Stream: Stream<File = <Self::Disk as Disk>::File>;
    /// The future of [`Env::sleep_until`].
    type Sleep: Future<Output = ()> + Send + Unpin + 'static;

    /// Time that never goes back and means nothing outside this process.
    fn now(&self) -> MonoTime;
    /// The wall clock in milliseconds since 1970; it may jump either way.
    fn wall_ms(&self) -> i64;
    /// Completes at `at`, or at once if that has passed.
    fn sleep_until(&self, at: MonoTime) -> Self::Sleep;
    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.sleep_until(self.now() + duration)
    }
    /// Fills `into` with random bytes (from the seed, in simulation).
    fn fill_random(&self, into: &mut [u8]);
    /// A random number.
    fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_random(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Runs `future` on the node's workers. Dropping the handle does not stop it.
    fn spawn<F>(&self, name: &'static str, future: F) -> Task
    where
        F: Future<Output = ()> + Send + 'static;
    /// Runs `future` on a thread of its own, where it may call the (blocking) disk directly.
    ///
    /// In simulation it is a task like any other; such a loop awaits [`Env::disk_pause`] before
    /// each durable step, so that time passes and other tasks run there.
    fn spawn_dedicated<F>(&self, name: &'static str, future: F) -> Task
    where
        F: Future<Output = ()> + Send + 'static;
    /// Runs blocking `work` (disk reads) off the network workers, on a small fixed pool.
    fn run_blocking<T, F>(&self, work: F) -> impl Future<Output = Result<T, Stopped>> + Send
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static;
    /// Where simulated disk time passes; ready at once on the real machine.
    fn disk_pause(&self) -> impl Future<Output = ()> + Send;

    /// The disk.
    fn disk(&self) -> &Self::Disk;

    /// Binds and listens. Port 0 picks a free one.
    ///
    /// # Errors
    /// Those of bind(2), as the operating system words them.
    fn listen(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::Listener>> + Send;
    /// Connects, without a time limit of its own.
    ///
    /// # Errors
    /// Those of connect(2).
    fn connect(&self, address: SocketAddr)
    -> impl Future<Output = io::Result<Self::Stream>> + Send;
    /// Resolves a host name; literal addresses need no name server.
    ///
    /// # Errors
    /// When the name is unknown or no name server answers.
    fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// `future`, unless `limit` passes first.
    fn timeout<F>(
        &self,
        limit: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, time::Elapsed>> + Send
    where
        F: Future + Send,
    {
        let sleep = self.sleep(limit);
        async move {
            tokio::select! {
                biased;
                output = future => Ok(output),
                () = sleep => Err(time::Elapsed),
            }
        }
    }
}

/// Opens for reading only: what most callers of [`Disk::open`] want.
///
/// # Errors
/// Those of open(2).
pub fn open_read<D: Disk>(disk: &D, path: &Path) -> io::Result<D::File> {
    disk.open(path, &OpenOptions::read_only())
}
