//! The clients against a cluster, at rest or with one node after the other being restarted.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Options, Row, Target};
use crate::cluster::kafka;
use crate::cluster::network::Network;
use crate::cluster::node::Software;
use crate::cluster::{Cluster, Seat};
use crate::torture::node;

/// From one restart to the next, where nothing else is said.
pub(super) const EVERY: Duration = Duration::from_secs(10);
const START_LIMIT: Duration = Duration::from_secs(60);
/// What Kafka's tools can read of the metadata log: its shell knows no level after its own release, and there is none of 4.4
/// in Maven Central.
const TOOLS_LEVEL: &str = "4.3-IV0";

/// Starts the cluster, runs the clients, stops it.
pub(super) fn run(
    options: &Options,
    clients: impl FnOnce(&Target) -> Vec<Row>,
) -> Result<Vec<Row>, String> {
    let seat = Seat::new(software(options)?, true, true);
    let seats = vec![seat; usize::from(options.nodes)];
    let folder = std::env::temp_dir().join(format!("ottla-conformance-{}", std::process::id()));
    let network = Network::loopback(options.nodes)?;
    let mut more = vec!["auto.create.topics.enable=true".to_string()];
    if options.clients.iter().any(|client| client.nodes > 1) {
        more.push(format!("ottla.metadata.version={TOOLS_LEVEL}"));
    }
    let mut cluster = Cluster::prepare(&seats, network, &folder, &more, false)?;
    println!("{} nodes answer after {} ms", options.nodes, cluster.start()?.as_millis());
    let target = Target {
        bootstrap: cluster.bootstrap(),
        data: cluster.node(1).data().swap_remove(0),
        nodes: options.nodes,
        restarting: options.restarting,
    };
    let over = AtomicBool::new(false);
    let (rows, restarts) = std::thread::scope(|scope| {
        let restarting = scope.spawn(|| match options.restarting {
            true => restart(&mut cluster, options.every, &over),
            false => Ok(0),
        });
        let rows = clients(&target);
        over.store(true, Ordering::Relaxed);
        (rows, restarting.join().unwrap_or_else(|_| Err("the restarts ended".to_string())))
    });
    if options.restarting {
        println!("restarts: {}", restarts?);
    }
    cluster.stop();
    let _ = std::fs::remove_dir_all(&folder);
    Ok(rows)
}

fn software(options: &Options) -> Result<Software, String> {
    if let Some(version) = &options.kafka {
        return Ok(Software::Kafka { libs: kafka::jars(version)? });
    }
    let binary = match &options.binary {
        Some(path) => PathBuf::from(path),
        None => node::build()?,
    };
    let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
    Ok(Software::Ottla { binary })
}

/// Stops one node in order and starts it, then the next, until it is over; how often.
fn restart(cluster: &mut Cluster, every: Duration, over: &AtomicBool) -> Result<u64, String> {
    let mut count = 0;
    let mut id = 1;
    loop {
        let due = Instant::now() + every;
        while Instant::now() < due {
            if over.load(Ordering::Relaxed) {
                return Ok(count);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let stopped = cluster.node(id).stop()?;
        cluster.spawn(id)?;
        let start = Instant::now();
        cluster.await_brokers(START_LIMIT)?;
        count += 1;
        println!(
            "  node {id} was restarted: stopped after {} ms, all there after {} ms",
            stopped.as_millis(),
            start.elapsed().as_millis()
        );
        id = id % cluster.len() + 1;
    }
}
