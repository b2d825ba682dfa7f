//! The machine under test: the real broker on a simulated disk and network.

use std::net::SocketAddr;

use ottla_broker::Broker;
use ottla_config::{Layers, Setting};
use ottla_env::Env;
use ottla_env::sim::{Sim, SimEnv};
use tokio::sync::oneshot;

/// The broker's machine.
pub const BROKER: &str = "broker";
/// The clients' machine.
pub const CLIENT: &str = "client";
/// Where the broker listens.
pub const PORT: u16 = 9092;

/// When an acknowledgement is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// When the record is durable: nothing may be lost.
    Wal,
    /// When the record is in memory: a power cut loses records, and the checkers must see it.
    None,
}

impl Flush {
    /// The configuration's word.
    pub fn word(self) -> &'static str {
        match self {
            Flush::Wal => "wal",
            Flush::None => "none",
        }
    }
}

/// What is known when a start is over.
#[derive(Debug)]
pub enum Start {
    /// Clients are served.
    Up,
    /// The machine went down meanwhile.
    Down,
    /// It refused, on a machine in good order.
    Refused(String),
}

/// The broker's settings: small segments, so that short runs roll them.
pub fn layers(flush: Flush, partitions: i32) -> Layers {
    let settings = [
        ("node.id", "1"),
        ("log.dirs", "/data"),
        ("listeners", "PLAINTEXT://0.0.0.0:9092"),
        ("num.partitions", &partitions.to_string()),
        ("offsets.topic.num.partitions", "2"),
        ("offsets.topic.replication.factor", "1"),
        ("log.segment.bytes", "1048576"),
        ("ottla.flush", flush.word()),
    ];
    Layers::new(settings.map(|(key, value)| Setting::flag(key, value)))
}

/// The address clients dial.
pub fn address(env: &SimEnv) -> SocketAddr {
    SocketAddr::new(env.ip(), PORT)
}

/// Starts the broker on its machine, which must be up, and waits until it serves or is down.
pub async fn start(sim: &Sim, env: SimEnv, layers: Layers) -> Start {
    let (sender, started) = oneshot::channel();
    env.spawn("broker", serve(env.clone(), layers, sender));
    let outcome = tokio::select! {
        biased;
        () = sim.until_down(BROKER) => return Start::Down,
        outcome = started => outcome,
    };
    // What a dying disk makes of a start is no refusal.
    sim.sleep(std::time::Duration::ZERO).await;
    match outcome {
        Ok(Ok(())) => Start::Up,
        _ if !sim.is_up(BROKER) => Start::Down,
        Ok(Err(text)) => Start::Refused(text),
        Err(_) => Start::Refused("the start was dropped".to_owned()),
    }
}

/// Runs until the machine goes down.
#[allow(clippy::manual_async_fn)] // The bound is what the concrete caller needs.
fn serve<E: Env>(
    env: E,
    layers: Layers,
    started: oneshot::Sender<Result<(), String>>,
) -> impl Future<Output = ()> + Send {
    async move {
        match Broker::start(env, layers).await {
            Ok(broker) => {
                let _ = started.send(Ok(()));
                std::future::pending::<()>().await;
                drop(broker);
            }
            Err(error) => {
                let _ = started.send(Err(error.to_string()));
            }
        }
    }
}
