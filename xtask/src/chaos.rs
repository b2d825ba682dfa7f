//! `cargo xtask chaos` and `cargo xtask mixed`: a cluster of real processes whose nodes are killed,
//! stopped for a while and cut off from each other under the load of real clients. In the end the
//! judge holds what is left against what the clients were told, and the replicas are compared byte
//! for byte. The choices come from a seed; the moments are the machine's.

mod churn;
mod measure;
mod options;
mod plan;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use churn::Churn;
use options::Options;
use plan::{Act, Plan, Round, Who};

use crate::cluster::disks::Disk;
use crate::cluster::network::{self, Network};
use crate::cluster::{Cluster, replicas};
use crate::torture::damage;
use crate::torture::drivers::{self, Drivers, Load};
use crate::torture::report::Report;

/// Topics and their partitions.
const TOPICS: [(&str, u32); 3] = [("alpha", 4), ("beta", 3), (MOVED, 2)];
/// Has two replicas, which are moved about, and goes on with one.
const MOVED: &str = "gamma";
/// Segments roll often, and nothing is ever deleted.
const KEPT: [(&str, &str); 3] =
    [("segment.bytes", "1048576"), ("retention.ms", "-1"), ("retention.bytes", "-1")];
/// Acknowledgements come back within this after all is healed, and replicas get in sync.
const PROGRESS_LIMIT: Duration = Duration::from_secs(90);
/// How long all live before bytes are destroyed.
const CONTROL_LIFE: Duration = Duration::from_secs(5);
/// All replicas must be in sync again after so many rounds.
const IN_SYNC_EVERY: u64 = 10;

/// Chaos in a cluster of Ottla's.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    begin("chaos", args, Options::parse(args, false)?)
}

/// Chaos in clusters of Ottla's and Apache Kafka's together.
pub(crate) fn run_mixed(args: &[String]) -> Result<(), String> {
    begin("mixed", args, Options::parse(args, true)?)
}

/// Makes all that is needed, and goes on in a network of its own.
fn begin(task: &str, args: &[String], mut options: Options) -> Result<(), String> {
    if network::is_inside() {
        return all(task, &options);
    }
    options.install()?;
    let mut again = vec![task.to_string()];
    again.extend_from_slice(args);
    if let Some(binary) = &options.binary {
        again.extend(["--binary".to_string(), binary.display().to_string()]);
    }
    match network::enter(&again) {
        Some(done) => done.map_err(|error| format!("{task}: {error}")),
        None => {
            println!("no network namespaces here: the network is not cut");
            all(task, &options)
        }
    }
}

fn all(task: &str, options: &Options) -> Result<(), String> {
    let mut laid = None;
    for layout in &options.layouts {
        let seats = options.seats(layout)?;
        let nodes = seats.len() as u16;
        let network = match laid.take() {
            Some(network) => network,
            None if network::is_inside() => Network::namespaces(nodes)?,
            None => Network::loopback(nodes)?,
        };
        println!("== {layout}");
        // In a network of its own a process has a small number, too.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("ottla-{task}-{}-{}", options.seed, now.as_millis());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let own_disks = options.control || options.acts.iter().any(|act| act.is_of_power());
        let own_disks = own_disks && options.measure.is_none();
        let mut cluster = Cluster::prepare(&seats, network, &folder, &options.settings, own_disks)?;
        if let Some(whose) = options.measure {
            measure::run(options, whose, &mut cluster, &folder)?;
            if options.keep {
                println!("data and logs: {}", folder.display());
            } else {
                let _ = std::fs::remove_dir_all(&folder);
            }
            continue;
        }
        let outcome = disturb(options, &mut cluster, &folder);
        cluster.nodes.iter_mut().for_each(crate::cluster::node::Node::kill);
        // What is left lies in their images.
        cluster.disks.clear();
        let good = matches!(&outcome, Ok(report) if report.is_as_it_should_be(options.control));
        if options.keep || !good {
            println!("data, logs and history: {}", folder.display());
        } else {
            let _ = std::fs::remove_dir_all(&folder);
        }
        outcome?.print(options.json);
        if !good {
            let told = if options.control {
                "data was destroyed, and nobody noticed".to_string()
            } else {
                format!("promises were broken with --seed {} --layout {layout}", options.seed)
            };
            return Err(format!("{task}: {told}"));
        }
        cluster.network.heal(nodes)?;
        laid = Some(cluster.network);
    }
    Ok(())
}

/// The rounds, the last reading, the judge and the comparison of the replicas.
fn disturb(options: &Options, cluster: &mut Cluster, folder: &Path) -> Result<Report, String> {
    let start = Instant::now();
    let mut report = Report::new(options.seed);
    report.served(cluster.start()?);
    create_topics(cluster)?;
    let load = Load {
        clients: options.clients.clone(),
        seed: options.seed,
        rate: options.rate,
        topics: TOPICS.to_vec(),
        bootstrap: cluster.bootstrap(),
    };
    let mut drivers = Drivers::start(&load, folder)?;
    drivers.await_acks(0, PROGRESS_LIMIT, || cluster.check())?;
    // The control destroys topics too.
    let churn = options.churns().then(|| Churn::start(cluster.addresses(), options.seed));
    let (can_cut, has_power) = (cluster.network.can_be_cut(), !cluster.disks.is_empty());
    let acts = options.acts.iter().copied();
    let acts = acts.filter(|act| can_cut || !act.is_of_network());
    let acts = acts.filter(|act| has_power || !act.is_of_power());
    let mut plan = Plan::new(options.seed, acts.collect());
    for number in 1..=options.rounds {
        if options.limit.is_some_and(|limit| start.elapsed() >= limit) {
            break;
        }
        if options.control && number == options.rounds.div_ceil(2) {
            destroy(cluster, &mut report)?;
        }
        let told = one_round(cluster, &plan.round(), &mut drivers, &mut report)?;
        drivers.check()?;
        if number % IN_SYNC_EVERY == 0 {
            cluster.await_in_sync(PROGRESS_LIMIT)?;
        }
        report.round(number, options.rounds, &told, drivers.counts());
    }
    if options.acts.contains(&Act::Shift) {
        report.figures.push(("replicas sent to another directory", cluster.shifted.to_string()));
        if cluster.shifted == 0 {
            report.wrong("no replica was taken to another log directory".to_string());
        }
    }
    end(cluster, &load, drivers, churn, folder, &mut report)?;
    println!("judging");
    report.judge(folder, start.elapsed())?;
    Ok(report)
}

fn create_topics(cluster: &mut Cluster) -> Result<(), String> {
    for (topic, partitions) in TOPICS {
        let (replicas, in_sync) = if topic == MOVED { (2, "1") } else { (3, "2") };
        let mut settings = KEPT.to_vec();
        settings.push(("min.insync.replicas", in_sync));
        cluster.create_topic(topic, partitions as i32, replicas, &settings)?;
    }
    Ok(())
}

/// Lets the cluster live, does one thing to it, undoes it, and waits until writes flow.
fn one_round(
    cluster: &mut Cluster,
    round: &Round,
    drivers: &mut Drivers,
    report: &mut Report,
) -> Result<String, String> {
    std::thread::sleep(round.alive);
    cluster.check()?;
    let whom = whom(cluster, round.who);
    report.did(round.act.name());
    act(cluster, round, whom)?;
    let healed = Instant::now();
    for id in 1..=cluster.len() {
        if !cluster.node(id).is_running() {
            cluster.spawn(id)?;
        }
    }
    let acks = drivers.counts().acks;
    let flowed = drivers.await_acks(acks, PROGRESS_LIMIT, || cluster.check());
    if let Err(silent) = flowed {
        let states = cluster.partitions(None);
        return Err(format!("after {:?} of node {whom}: {silent}\n{states:?}", round.act));
    }
    let (alive, held) = (round.alive.as_millis(), round.held.as_millis());
    let flowed = healed.elapsed().as_millis();
    let name = round.act.name();
    Ok(format!(
        "lived {alive:>4} ms   {name:<8} of {whom} for {held:>4} ms   acknowledged {flowed:>5} ms after"
    ))
}

/// The node that is meant; any if nobody knows.
fn whom(cluster: &Cluster, who: Who) -> u16 {
    let count = cluster.len();
    match who {
        Who::Node(number) => number % count + 1,
        Who::Controller => cluster.controller().unwrap_or(1),
        Who::Leader(partition) => {
            let found = cluster.partitions(Some(&[TOPICS[0].0])).unwrap_or_default();
            let leader = found.iter().find(|state| state.partition == partition);
            leader.and_then(|state| u16::try_from(state.leader).ok()).unwrap_or(1)
        }
    }
}

/// Does it, holds it, undoes it. Who was killed is started by the caller.
fn act(cluster: &mut Cluster, round: &Round, whom: u16) -> Result<(), String> {
    let count = cluster.len();
    let next = whom % count + 1;
    let others: Vec<u16> = (1..=count).filter(|id| *id != whom).collect();
    match round.act {
        Act::Kill => cluster.node(whom).kill(),
        Act::KillTwo => [whom, next].into_iter().for_each(|id| cluster.node(id).kill()),
        Act::KillAll => cluster.nodes.iter_mut().for_each(crate::cluster::node::Node::kill),
        Act::Power => cluster.lose_power(whom)?,
        Act::PowerAll => {
            cluster.nodes.iter_mut().for_each(crate::cluster::node::Node::kill);
            (1..=count).try_for_each(|id| cluster.lose_power(id))?;
        }
        Act::Restart => {
            cluster.node(whom).stop()?;
        }
        Act::Pause => cluster.node(whom).pause(),
        Act::Move => {
            // The next two, whoever they are; what is refused now is asked for again later.
            let mut replicas = cluster.broker_ids();
            let count = replicas.len();
            replicas.rotate_left(usize::from(whom) % count.max(1));
            replicas.truncate(2);
            let partition = i32::from(next % 2);
            cluster.reassign(MOVED, partition, &replicas);
        }
        Act::Shift => cluster.shift(whom, TOPICS[0].0, TOPICS[0].1),
        Act::Unplug => cluster.network.unplug(whom)?,
        Act::Split => {
            for other in &others {
                cluster.network.mute(whom, *other)?;
                cluster.network.mute(*other, whom)?;
            }
        }
        Act::Mute => {
            for other in &others {
                cluster.network.mute(whom, *other)?;
            }
        }
        Act::Ring => {
            for id in 1..=count {
                cluster.network.mute(id, id % count + 1)?;
            }
        }
        Act::Flap => {
            for _ in 0..2 {
                cluster.network.unplug(whom)?;
                std::thread::sleep(round.held / 3);
                cluster.network.heal(count)?;
                std::thread::sleep(Duration::from_millis(100));
            }
            cluster.network.unplug(whom)?;
            cluster.node(whom).kill();
        }
    }
    std::thread::sleep(round.held);
    cluster.node(whom).resume();
    cluster.network.heal(count)
}

/// The control: all nodes die, and what they did not sync is gone on all of them. Without disks of
/// their own it is bytes that they did sync, as if their disks had lied.
fn destroy(cluster: &mut Cluster, report: &mut Report) -> Result<(), String> {
    // What the system has written by itself is older than this.
    cluster.disks.iter().try_for_each(Disk::sync)?;
    std::thread::sleep(CONTROL_LIFE);
    cluster.nodes.iter_mut().for_each(crate::cluster::node::Node::kill);
    if !cluster.disks.is_empty() {
        report.did("all without power");
        (1..=cluster.len()).try_for_each(|id| cluster.lose_power(id))?;
        return (1..=cluster.len()).try_for_each(|id| cluster.spawn(id));
    }
    report.did("all killed, bytes cut off");
    for (id, data) in cluster.data() {
        let cut = damage::cut_last_groups(&data)?;
        println!("  node {id}: {cut} groups of the write-ahead log wiped out");
    }
    (1..=cluster.len()).try_for_each(|id| cluster.spawn(id))
}

/// Everything comes to its end: clients, reading, nodes, the comparison.
fn end(
    cluster: &mut Cluster,
    load: &Load,
    mut drivers: Drivers,
    churn: Option<Churn>,
    folder: &Path,
    report: &mut Report,
) -> Result<(), String> {
    cluster.await_brokers(PROGRESS_LIMIT)?;
    let mut churned = churn.map(Churn::stop).transpose()?;
    if let Some(churned) = &mut churned {
        churned.check(&cluster.addresses());
    }
    let acks = drivers.counts().acks;
    if let Err(silent) = drivers.await_acks(acks, PROGRESS_LIMIT, || cluster.check()) {
        report.wrong(silent);
    }
    drivers.await_reads(PROGRESS_LIMIT).into_iter().for_each(|silent| report.wrong(silent));
    println!("the clients come to their end");
    drivers.stop()?.into_iter().for_each(|late| report.wrong(late));
    match cluster.await_in_sync(PROGRESS_LIMIT) {
        Ok(took) => {
            report.figures.push(("in sync after the end, ms", took.as_millis().to_string()))
        }
        Err(behind) => report.wrong(behind),
    }
    println!("reading everything back");
    drivers::read_back(load, folder)?;
    let partitions = cluster.partitions(None)?;
    cluster.stop().into_iter().for_each(|late| report.wrong(late));
    if let Some(mut churned) = churned {
        churned.check_files(&cluster.data());
        report.figures.push(("topics made", churned.made.to_string()));
        report.figures.push(("topics deleted", churned.deleted.to_string()));
        report.figures.push(("topics there already", churned.there_already.to_string()));
        churned.wrong.into_iter().for_each(|text| report.wrong(text));
    }
    let topics = TOPICS.map(|(name, _)| name);
    let compared = replicas::compare(&cluster.data(), &partitions, &topics)?;
    report.figures.push(("replicated partitions compared", compared.partitions.to_string()));
    report.figures.push(("batches compared", compared.batches.to_string()));
    report.figures.push(("bytes compared", compared.bytes.to_string()));
    compared.differences.into_iter().for_each(|text| report.wrong(text));
    Ok(())
}
