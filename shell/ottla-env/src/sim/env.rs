//! [`SimEnv`]: one process on one simulated machine.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use super::core::{Core, World};
use super::disk::SimDisk;
use super::network::{Arrival, NodeId};
use super::stream::{SimListener, SimStream};
use super::timers::TimerKey;
use crate::Env;
use crate::task::{Stopped, Task};
use crate::time::MonoTime;

/// How long a kernel tries to connect to a machine that does not answer.
const CONNECT_TRIES: u32 = 127;
/// Between two of those tries.
const CONNECT_RETRY: Duration = Duration::from_secs(1);

/// A process's view of its simulated machine. Dead after a kill or a power cut: the disk fails,
/// tasks cannot be spawned.
#[derive(Clone)]
pub struct SimEnv {
    core: Arc<Core>,
    node: NodeId,
    process: u64,
    disk: SimDisk,
}

/// See [`Env::sleep_until`].
pub struct SimSleep {
    core: Arc<Core>,
    at: u64,
    key: Option<TimerKey>,
}

impl SimSleep {
    pub(super) fn new(core: Arc<Core>, at: u64) -> SimSleep {
        SimSleep { core, at, key: None }
    }
}

impl Future for SimSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let core = self.core.clone();
        let mut world = core.lock();
        if let Some(key) = self.key.take() {
            world.timers.clear(key);
        }
        if world.now >= self.at {
            return Poll::Ready(());
        }
        self.key = Some(world.timers.set(self.at, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for SimSleep {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.core.lock().timers.clear(key);
        }
    }
}

impl SimEnv {
    pub(super) fn new(core: Arc<Core>, node: NodeId) -> SimEnv {
        let (process, disk) = {
            let mut world = core.lock();
            let node = world.node(node);
            (node.process, node.disk.clone())
        };
        SimEnv { core, node, process, disk }
    }

    /// The address other machines reach this one at.
    pub fn ip(&self) -> IpAddr {
        address_of(self.node)
    }

    fn sleep_nanos(&self, nanos: u64) -> SimSleep {
        let at = self.core.lock().now.saturating_add(nanos);
        SimSleep::new(self.core.clone(), at)
    }

    /// Where an address leads, if to any machine.
    fn route(&self, world: &World, ip: IpAddr) -> Option<NodeId> {
        if ip.is_loopback() || ip.is_unspecified() {
            return Some(self.node);
        }
        let index = (0..world.nodes.len()).find(|index| address_of(NodeId(*index as u8)) == ip)?;
        Some(NodeId(index as u8))
    }

    /// One attempt: `None` if no answer comes, else the connection or its refusal.
    fn try_connect(&self, address: SocketAddr) -> Option<io::Result<SimStream>> {
        let mut world = self.core.lock();
        let far = self.route(&world, address.ip())?;
        let cut = world.network.is_cut(self.node, far) || world.network.is_cut(far, self.node);
        if cut || !*world.node(far).up.borrow() {
            return None;
        }
        if !world.network.listeners.is_open(far, address) {
            return Some(Err(ErrorKind::ConnectionRefused.into()));
        }
        let World { network, random, .. } = &mut *world;
        let (there, back) = network.connect(self.node, far, random);
        let own_ip = if address.ip().is_loopback() { address.ip() } else { self.ip() };
        let local = SocketAddr::new(own_ip, network.listeners.free_port(self.node));
        let arrival = Arrival { reads: there, writes: back, local: address, peer: local };
        network.listeners.arrive(far, arrival);
        drop(world);
        let ends = Arrival { reads: back, writes: there, local, peer: address };
        Some(Ok(SimStream::new(&self.core, ends)))
    }

    fn spawn_boxed(
        &self,
        name: &'static str,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Task {
        let (ended, done) = oneshot::channel();
        let future = Box::pin(async move {
            future.await;
            let _ = ended.send(());
        });
        let id = self.core.spawn((self.node, self.process), name, future);
        // Weak: a handle kept in its own task must not keep the world alive.
        let core = Arc::downgrade(&self.core);
        let abort = move || {
            if let (Some(id), Some(core)) = (id, core.upgrade()) {
                core.abort(id);
            }
        };
        Task { done, abort: Arc::new(abort) }
    }
}

/// The address of a machine.
pub(super) fn address_of(node: NodeId) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, node.0 + 1))
}

impl Env for SimEnv {
    type Disk = SimDisk;
    type Listener = SimListener;
    type Stream = SimStream;
    type Sleep = SimSleep;

    fn now(&self) -> MonoTime {
        MonoTime(self.core.lock().now)
    }

    fn wall_ms(&self) -> i64 {
        self.core.lock().wall_ms(self.node)
    }

    fn sleep_until(&self, at: MonoTime) -> SimSleep {
        SimSleep::new(self.core.clone(), at.0)
    }

    fn fill_random(&self, into: &mut [u8]) {
        self.core.lock().random.fill(into);
    }

    fn spawn<F>(&self, name: &'static str, future: F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_boxed(name, future)
    }

    fn spawn_dedicated<F>(&self, name: &'static str, future: F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_boxed(name, future)
    }

    fn run_blocking<T, F>(&self, work: F) -> impl Future<Output = Result<T, Stopped>> + Send
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let env = self.clone();
        self.spawn_boxed("blocking", async move {
            env.disk_pause().await;
            if !sender.is_closed() {
                let _ = sender.send(work());
            }
        });
        async move { receiver.await.map_err(|_| Stopped) }
    }

    fn disk_pause(&self) -> impl Future<Output = ()> + Send {
        let nanos = {
            let mut live = self.disk.lock_live();
            let (min, max) = live.latency;
            live.random.between(min.as_nanos() as u64, max.as_nanos() as u64)
        };
        self.sleep_nanos(nanos)
    }

    fn disk(&self) -> &SimDisk {
        &self.disk
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<SimListener> {
        let mut world = self.core.lock();
        if !world.lives(self.node, self.process) {
            return Err(ErrorKind::NotConnected.into());
        }
        let ip = address.ip();
        if !(ip.is_loopback() || ip.is_unspecified() || ip == self.ip()) {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        let address = world.network.listeners.bind(self.node, address)?;
        Ok(SimListener::new(self.core.clone(), self.node, address))
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<SimStream> {
        for _ in 0..CONNECT_TRIES {
            let delay = {
                let mut world = self.core.lock();
                let far = self.route(&world, address.ip()).ok_or(ErrorKind::NetworkUnreachable)?;
                let World { network, random, .. } = &mut *world;
                network.delay(self.node, far, random)
            };
            self.sleep_nanos(delay).await;
            if let Some(answer) = self.try_connect(address) {
                self.sleep_nanos(delay).await;
                return answer;
            }
            self.sleep(CONNECT_RETRY).await;
        }
        Err(ErrorKind::TimedOut.into())
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let world = self.core.lock();
        let named = world.nodes.iter().position(|node| node.name == host);
        let ip = match (host.parse::<IpAddr>(), named) {
            (Ok(ip), _) => ip,
            (Err(_), Some(index)) => address_of(NodeId(index as u8)),
            (Err(_), None) if host == "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            (Err(_), None) => {
                let text = format!("no machine is called {host}");
                return Err(io::Error::new(ErrorKind::NotFound, text));
            }
        };
        Ok(vec![SocketAddr::new(ip, port)])
    }
}
