//! `cargo xtask chaos --measure leader|controller`: how long writes stop when a node dies.
//!
//! One record after the other is sent to a partition, each at once after the answer to the one
//! before, on a connection to whoever the brokers say leads it. The gap is from the kill to the first
//! acknowledgement of a record that was sent after it.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::options::{Measure, Options};
use crate::cluster::Cluster;
use crate::cluster::admin::{self, PartitionState};
use crate::cluster::wire::Wire;
use crate::torture::drivers::{Drivers, Load};

const TOPIC: &str = "probe";
const LOADED: (&str, u32) = ("load", 6);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(5);
/// No answer within this is none.
const PATIENCE: Duration = Duration::from_millis(500);
const LIMIT: Duration = Duration::from_secs(60);
/// What is killed has lived so long, so that nothing of its start is measured.
const SETTLED: Duration = Duration::from_secs(2);

/// Kills as often as there are rounds, and prints the gaps.
pub(crate) fn run(
    options: &Options,
    whose: Measure,
    cluster: &mut Cluster,
    folder: &Path,
) -> Result<(), String> {
    println!("the cluster answers after {} ms", cluster.start()?.as_millis());
    cluster.create_topic(LOADED.0, LOADED.1 as i32, 3, &[])?;
    let begin = Instant::now();
    cluster.create_topic(TOPIC, options.partitions, 3, &[])?;
    cluster.await_in_sync(LIMIT)?;
    println!("{} partitions after {} ms", options.partitions, begin.elapsed().as_millis());
    let load = Load {
        clients: options.clients.clone(),
        seed: options.seed,
        rate: options.rate,
        topics: vec![LOADED],
        bootstrap: cluster.bootstrap(),
    };
    let mut drivers = Drivers::start(&load, folder)?;
    drivers.await_acks(0, LIMIT, || cluster.check())?;
    let (mut writes, mut leaders) = (Vec::new(), Vec::new());
    for number in 1..=options.rounds {
        std::thread::sleep(SETTLED);
        let (write, led) = one_kill(whose, number as i32 % options.partitions, cluster)?;
        println!(
            "kill {number:>3}   writes flow again after {:>6} ms   all partitions led after {:>6} ms",
            write.as_millis(),
            led.as_millis()
        );
        writes.push(write);
        leaders.push(led);
        cluster.await_brokers(LIMIT)?;
        cluster.await_in_sync(LIMIT)?;
        drivers.check()?;
    }
    drivers.stop()?;
    cluster.stop();
    say("writes flow again after", &mut writes);
    say("all partitions led after", &mut leaders);
    Ok(())
}

fn say(what: &str, gaps: &mut [Duration]) {
    gaps.sort_unstable();
    let at = |index: usize| gaps.get(index).map_or(0, Duration::as_millis);
    println!(
        "{what}: p50 {} ms, worst of {} {} ms",
        at(gaps.len() / 2),
        gaps.len(),
        at(gaps.len().saturating_sub(1))
    );
}

/// Kills the leader of a partition or the controller; how long until a record is acknowledged in that
/// partition (of the controller: in one that the killed node led), and until no partition is without
/// a leader that lives. Starts the node again.
fn one_kill(
    whose: Measure,
    partition: i32,
    cluster: &mut Cluster,
) -> Result<(Duration, Duration), String> {
    let states = cluster.partitions(Some(&[TOPIC]))?;
    let led_by = |id: u16| move |state: &&PartitionState| state.leader == i32::from(id);
    let (victim, partition) = match whose {
        Measure::Leader => {
            let state = states.iter().find(|state| state.partition == partition);
            let leader = state.map_or(-1, |state| state.leader);
            (u16::try_from(leader).map_err(|_| "the partition has no leader")?, partition)
        }
        Measure::Controller => {
            let victim = cluster.controller()?;
            let mine = states.iter().find(led_by(victim));
            (victim, mine.map_or(partition, |state| state.partition))
        }
    };
    let others: Vec<String> = cluster
        .nodes
        .iter()
        .filter(|node| node.id != victim && node.is_broker)
        .map(|node| node.address.clone())
        .collect();
    let killed = Instant::now();
    cluster.node(victim).kill();
    let watched = others.clone();
    let led = std::thread::spawn(move || all_led(&watched, victim, killed));
    let write = flowing(cluster, &others, partition, killed);
    let led = led.join().map_err(|_| "the watch ended".to_string())?;
    cluster.spawn(victim)?;
    Ok((write?, led?))
}

/// The time until no partition is led by the dead, as one of the others sees it.
fn all_led(others: &[String], dead: u16, killed: Instant) -> Result<Duration, String> {
    while killed.elapsed() < LIMIT {
        let found = admin::partitions(&others[0], Some(&[TOPIC]));
        let led = |state: &PartitionState| state.leader >= 0 && state.leader != i32::from(dead);
        if found.is_ok_and(|states| !states.is_empty() && states.iter().all(led)) {
            return Ok(killed.elapsed());
        }
        std::thread::sleep(PAUSE);
    }
    Err(format!("not every partition has a leader {LIMIT:?} after the kill"))
}

/// The time until a record is acknowledged.
fn flowing(
    cluster: &Cluster,
    others: &[String],
    partition: i32,
    killed: Instant,
) -> Result<Duration, String> {
    let mut last = String::new();
    while killed.elapsed() < LIMIT {
        match attempt(cluster, others, partition) {
            Ok(_) => return Ok(killed.elapsed()),
            Err(error) => last = error,
        }
        std::thread::sleep(PAUSE);
    }
    Err(format!("no record is acknowledged {LIMIT:?} after the kill: {last}"))
}

fn attempt(cluster: &Cluster, others: &[String], partition: i32) -> Result<i64, String> {
    let states = admin::partitions(&others[0], Some(&[TOPIC]))?;
    let state = states.iter().find(|state| state.partition == partition);
    let leader = state.ok_or("no such partition")?.leader;
    let leader = cluster.nodes.iter().find(|node| i32::from(node.id) == leader);
    let leader = leader.filter(|node| node.is_running()).ok_or("no leader")?;
    let mut wire = Wire::connect(&leader.address, PATIENCE)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    admin::produce(&mut wire, TOPIC, partition, b"probe", now.as_millis() as i64)
}
