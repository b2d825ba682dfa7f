//! [`OsEnv`]: one process on one machine.

#![allow(clippy::disallowed_methods)]

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::clock::{Origin, OsSleep, wall_ms};
use super::dedicated::{Stop, block_on_until};
use super::disk::OsDisk;
use super::limits;
use super::net::{OsListener, OsStream};
use super::pool::Pool;
use crate::Env;
use crate::task::{Stopped, Task};
use crate::time::MonoTime;

/// Threads for blocking disk reads. Enough to keep a disk's queue busy; a wait is theirs alone.
const BLOCKING_THREADS: usize = 4;
/// How long a runtime waits for its tasks when [`run`] returns.
const RUNTIME_STOP_LIMIT: Duration = Duration::from_secs(1);

/// The real clock, disk and network, on a tokio runtime.
#[derive(Clone)]
pub struct OsEnv {
    inner: Arc<Inner>,
    disk: OsDisk,
}

struct Inner {
    runtime: Handle,
    origin: Origin,
    pool: Pool,
}

impl OsEnv {
    /// On the current tokio runtime.
    ///
    /// # Errors
    /// If the blocking threads cannot be started.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new() -> io::Result<OsEnv> {
        let pool = Pool::start(BLOCKING_THREADS)?;
        let inner = Inner { runtime: Handle::current(), origin: Origin::now(), pool };
        Ok(OsEnv { inner: Arc::new(inner), disk: OsDisk })
    }
}

/// Starts a runtime with `workers` network threads (as many as there are cores if `None`), runs
/// `main` on it to its end and stops it.
///
/// # Errors
/// If the threads cannot be started.
pub fn run<T, F, Fut>(workers: Option<usize>, main: F) -> io::Result<T>
where
    F: FnOnce(OsEnv) -> Fut,
    Fut: Future<Output = T>,
{
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers {
        builder.worker_threads(workers.max(1));
    }
    builder.on_thread_park(limits::collect_before_sleep);
    let runtime = builder.enable_all().thread_name("ottla-net").build()?;
    let output = runtime.block_on(async { Ok(main(OsEnv::new()?).await) });
    runtime.shutdown_timeout(RUNTIME_STOP_LIMIT);
    output
}

impl Env for OsEnv {
    type Disk = OsDisk;
    type Listener = OsListener;
    type Stream = OsStream;
    type Sleep = OsSleep;

    fn now(&self) -> MonoTime {
        self.inner.origin.elapsed()
    }

    fn wall_ms(&self) -> i64 {
        wall_ms()
    }

    fn sleep_until(&self, at: MonoTime) -> OsSleep {
        let _context = self.inner.runtime.enter();
        self.inner.origin.sleep_until(at)
    }

    fn fill_random(&self, into: &mut [u8]) {
        let mut done = 0;
        while done < into.len() {
            let flags = rustix::rand::GetRandomFlags::empty();
            match rustix::rand::getrandom(&mut into[done..], flags) {
                Ok(count) => done += count,
                Err(error) => assert!(error == rustix::io::Errno::INTR, "getrandom: {error}"),
            }
        }
    }

    fn spawn<F>(&self, _name: &'static str, future: F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (ended, done) = oneshot::channel();
        let running = self.inner.runtime.spawn(async move {
            future.await;
            let _ = ended.send(());
        });
        let handle = running.abort_handle();
        Task { done, abort: Arc::new(move || handle.abort()) }
    }

    fn spawn_dedicated<F>(&self, name: &'static str, future: F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (ended, done) = oneshot::channel();
        let stop = Arc::new(Stop::default());
        let runtime = self.inner.runtime.clone();
        let asked = stop.clone();
        let body = move || {
            let _context = runtime.enter();
            if block_on_until(future, &asked) {
                let _ = ended.send(());
            }
        };
        // If no thread can be had `ended` is dropped with the body, and the task reads as stopped.
        if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(body) {
            tracing::error!(name, %error, "cannot start a thread");
        }
        Task { done, abort: Arc::new(move || stop.stop()) }
    }

    fn run_blocking<T, F>(&self, work: F) -> impl Future<Output = Result<T, Stopped>> + Send
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.inner.pool.run(work)
    }

    fn disk_pause(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    fn disk(&self) -> &OsDisk {
        &self.disk
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<OsListener> {
        let _context = self.inner.runtime.enter();
        OsListener::bind(address)
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<OsStream> {
        OsStream::connect(address).await
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}
