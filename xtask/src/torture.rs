//! `cargo xtask torture`: kills the real binary at random moments under the load of real clients,
//! starts it again on the same directory, and lets the judge hold what it still has against what
//! the clients were told. The choices come from a seed; the moments are the machine's.

pub(crate) mod damage;
pub(crate) mod drivers;
pub(crate) mod node;
mod plan;
pub(crate) mod report;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use drivers::{Drivers, Load};
use node::Node;
use plan::{Plan, Round};
use report::Report;

use crate::source;

pub(crate) const USAGE: &str = "usage: cargo xtask torture [OPTIONS]

  --rounds N        kill and start again so often (10)
  --seconds S       no further round after so long
  --seed X          the choices: moments, pauses, topics, what is sent (1)
  --binary PATH     the broker; built with --release if it is not given
  --clients A,B     of python (librdkafka), java, rust (ottla-client); all if not given; or kafkajs, alone
  --rate N          records a second of each of the six producers, about (150)
  --set KEY=VALUE   a setting of the broker; may be given many times
  --control         cut acknowledged bytes off the write-ahead log half way: the judge must notice
  --keep            leave data, logs and history where they are
  -o json           the result as JSON";

/// Topics and their partitions.
const TOPICS: [(&str, u32); 3] = [("alpha", 4), ("beta", 3), ("gamma", 1)];
/// How long acknowledgements may take to come back after the last start.
const PROGRESS_LIMIT: Duration = Duration::from_secs(90);
/// How long the broker lives before bytes are destroyed.
const CONTROL_LIFE: Duration = Duration::from_secs(5);

/// What was asked for.
pub(crate) struct Options {
    rounds: u64,
    limit: Option<Duration>,
    seed: u64,
    binary: Option<PathBuf>,
    clients: Vec<String>,
    rate: u64,
    settings: Vec<String>,
    control: bool,
    keep: bool,
    json: bool,
}

/// Runs the rounds, the last reading and the judge.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let options = parse(args)?;
    drivers::install(&options.clients)?;
    let binary = match &options.binary {
        Some(path) => path.clone(),
        None => node::build()?,
    };
    let name = format!("ottla-torture-{}-{}", options.seed, std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let outcome = torture(&options, &binary, &folder);
    let good = matches!(&outcome, Ok(report) if report.is_as_it_should_be(options.control));
    if options.keep || !good {
        println!("data, logs and history: {}", folder.display());
    } else {
        let _ = std::fs::remove_dir_all(&folder);
    }
    let report = outcome?;
    report.print(options.json);
    if good {
        return Ok(());
    }
    Err(if options.control {
        "torture: bytes were cut off, and nobody noticed".to_string()
    } else {
        format!("torture: promises were broken; once more: cargo xtask torture {}", again(&options))
    })
}

fn torture(options: &Options, binary: &Path, folder: &Path) -> Result<Report, String> {
    let start = Instant::now();
    let mut node = Node::new(binary, folder, &options.settings)?;
    let mut plan = Plan::new(options.seed);
    let mut report = Report::new(options.seed);
    report.served(node.start()?);
    for (topic, partitions) in TOPICS {
        node.create_topic(topic, partitions)?;
    }
    let load = Load {
        clients: options.clients.clone(),
        seed: options.seed,
        rate: options.rate,
        topics: TOPICS.to_vec(),
        bootstrap: node.address.clone(),
    };
    let mut drivers = Drivers::start(&load, folder)?;
    drivers.await_acks(0, PROGRESS_LIMIT, || node.check())?;
    for number in 1..=options.rounds {
        if options.limit.is_some_and(|limit| start.elapsed() >= limit) {
            break;
        }
        let control = options.control && number == options.rounds.div_ceil(2);
        let round = plan.round();
        let started = one_round(&mut node, &round, control, &mut report)?;
        drivers.check()?;
        report.round(number, options.rounds, &told(&round, started), drivers.counts());
    }
    let acks = drivers.counts().acks;
    if let Err(silent) = drivers.await_acks(acks, PROGRESS_LIMIT, || node.check()) {
        report.wrong(silent);
    }
    for silent in drivers.await_reads(PROGRESS_LIMIT) {
        report.wrong(silent);
    }
    println!("the clients come to their end");
    for late in drivers.stop()? {
        report.wrong(late);
    }
    node.check()?;
    println!("reading everything back");
    drivers::read_back(&load, folder)?;
    report.figures.push(("on disk, MB", (node.bytes_on_disk() / 1_000_000).to_string()));
    node.stop();
    println!("judging");
    report.judge(folder, start.elapsed())?;
    Ok(report)
}

/// Lets it live, kills it, perhaps kills it again while it starts, and starts it.
fn one_round(
    node: &mut Node,
    round: &Round,
    control: bool,
    report: &mut Report,
) -> Result<Duration, String> {
    // Long enough for more to be acknowledged than is going to be destroyed.
    std::thread::sleep(if control { CONTROL_LIFE } else { round.alive });
    node.check()?;
    node.kill();
    report.did("killed under load");
    if control {
        let cut = damage::cut_last_groups(&node.data)?;
        println!("  {cut} groups of the write-ahead log wiped out");
    }
    std::thread::sleep(round.pause);
    if let Some(after) = round.during_start {
        node.spawn()?;
        std::thread::sleep(after);
        node.kill();
        report.did("killed while starting");
    }
    let mut started = node.start()?;
    report.served(started);
    if let Some(after) = round.once_more {
        std::thread::sleep(after);
        node.check()?;
        node.kill();
        report.did("killed soon after a start");
        started = node.start()?;
        report.served(started);
    }
    Ok(started)
}

/// What was done in a round.
fn told(round: &Round, started: Duration) -> String {
    let kind = match (round.during_start, round.once_more) {
        (Some(_), Some(_)) => "killed, killed in its start, killed again",
        (Some(_), None) => "killed, killed in its start",
        (None, Some(_)) => "killed, killed again",
        (None, None) => "killed",
    };
    let (lived, served) = (round.alive.as_millis(), started.as_millis());
    format!("lived {lived:>5} ms   served again after {served:>4} ms   {kind}")
}

fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options {
        rounds: 10,
        limit: None,
        seed: 1,
        binary: None,
        clients: Vec::new(),
        rate: 150,
        settings: Vec::new(),
        control: false,
        keep: false,
        json: false,
    };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value\n{USAGE}"));
        match word.as_str() {
            "--rounds" => options.rounds = number(value()?)?,
            "--seconds" => options.limit = Some(Duration::from_secs(number(value()?)?)),
            "--seed" => options.seed = number(value()?)?,
            "--binary" => options.binary = Some(PathBuf::from(value()?)),
            "--clients" => options.clients = value()?.split(',').map(str::to_string).collect(),
            "--rate" => options.rate = number(value()?)?.max(1),
            "--set" => options.settings.push(value()?.clone()),
            "--control" => options.control = true,
            "--keep" => options.keep = true,
            "-o" => options.json = value()? == "json",
            _ => return Err(USAGE.to_string()),
        }
    }
    if options.clients.is_empty() {
        options.clients = drivers::USUAL.map(str::to_string).to_vec();
    }
    match options.clients.iter().find(|client| !drivers::NAMES.contains(&client.as_str())) {
        Some(unknown) => Err(format!("no client {unknown}; there are {:?}", drivers::NAMES)),
        None => Ok(options),
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("\"{word}\" is no number\n{USAGE}"))
}

/// The words that make the same choices again.
fn again(options: &Options) -> String {
    let mut words = format!("--seed {} --rounds {}", options.seed, options.rounds);
    for setting in &options.settings {
        words.push_str(&format!(" --set {setting}"));
    }
    words
}

/// The folder of a client's program below `conformance/`.
fn conformance(folder: &str) -> PathBuf {
    source::root().join("conformance").join(folder)
}
