//! The clients: one process each, which writes its history to its standard output and ends when its
//! standard input does.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{conformance, node};

/// The clients there are.
pub(crate) const NAMES: [&str; 4] = ["python", "java", "rust", "kafkajs"];
/// Those that run where nothing else is said.
pub(crate) const USUAL: [&str; 3] = ["python", "java", "rust"];
/// Every outcome is known within this; the clients give up after two minutes.
const END_LIMIT: Duration = Duration::from_secs(150);
/// The last reading may take as long.
const READ_BACK_SECONDS: &str = "600";

/// What the histories say so far.
#[derive(Default)]
struct Tally {
    sends: AtomicU64,
    acks: AtomicU64,
    fails: AtomicU64,
    reads: AtomicU64,
}

/// Numbers of events so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) sends: u64,
    pub(crate) acks: u64,
    pub(crate) fails: u64,
    pub(crate) reads: u64,
}

/// What the clients are to do, and where.
pub(crate) struct Load {
    /// Of [`NAMES`].
    pub(crate) clients: Vec<String>,
    pub(crate) seed: u64,
    /// Records a second of each producer, about.
    pub(crate) rate: u64,
    /// Topics and their partitions.
    pub(crate) topics: Vec<(&'static str, u32)>,
    /// host:port of brokers, with commas.
    pub(crate) bootstrap: String,
}

struct Driver {
    name: &'static str,
    child: Child,
    history: JoinHandle<()>,
    tally: Arc<Tally>,
}

/// The running clients.
pub(crate) struct Drivers {
    drivers: Vec<Driver>,
}

/// Makes what the clients need, by package name.
pub(crate) fn install(clients: &[String]) -> Result<(), String> {
    let by_name = |name: &str| crate::conformance::install(name);
    // The last reading is librdkafka's.
    by_name("confluent-kafka")?;
    for name in ["java", "kafkajs"] {
        if clients.iter().any(|client| client == name) {
            by_name(name)?;
        }
    }
    if clients.iter().any(|client| client == "rust") {
        node::cargo(&["build", "--locked", "-p", "ottla-client", "--example", "torture"])?;
    }
    Ok(())
}

impl Drivers {
    pub(crate) fn start(load: &Load, folder: &Path) -> Result<Drivers, String> {
        let mut drivers = Vec::new();
        for name in NAMES.into_iter().filter(|name| load.clients.iter().any(|c| c == name)) {
            let mut command = command(name);
            // A client's own group first; the last of them also watches those of the others.
            let mut groups = vec![name];
            groups.extend(NAMES.into_iter().filter(|other| *other != name));
            surroundings(&mut command, load, &groups.join(","));
            command.env("ROLE", "load");
            let errors = file(&folder.join(format!("{name}.log")))?;
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(errors)
                .spawn()
                .map_err(|error| format!("{name}: {error}"))?;
            let out = child.stdout.take().ok_or("no output")?;
            let into = file(&folder.join(format!("{name}.jsonl")))?;
            let tally = Arc::new(Tally::default());
            let counted = Arc::clone(&tally);
            let history = std::thread::spawn(move || record(out, into, &counted));
            drivers.push(Driver { name, child, history, tally });
        }
        Ok(Drivers { drivers })
    }

    pub(crate) fn counts(&self) -> Counts {
        let sum = |one: fn(&Tally) -> &AtomicU64| {
            self.drivers.iter().map(|driver| one(&driver.tally).load(Ordering::Relaxed)).sum()
        };
        Counts {
            sends: sum(|tally| &tally.sends),
            acks: sum(|tally| &tally.acks),
            fails: sum(|tally| &tally.fails),
            reads: sum(|tally| &tally.reads),
        }
    }

    /// Waits until every client's group has read more than it has now; says which did not.
    pub(crate) fn await_reads(&self, limit: Duration) -> Vec<String> {
        let reads = |driver: &Driver| driver.tally.reads.load(Ordering::Relaxed);
        let before: Vec<u64> = self.drivers.iter().map(reads).collect();
        let still = || {
            let silent = self.drivers.iter().zip(&before).filter(|(d, read)| reads(d) <= **read);
            silent.map(|(driver, _)| driver.name).collect::<Vec<_>>()
        };
        let start = Instant::now();
        while !still().is_empty() && start.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(20));
        }
        let tell =
            |name| format!("the group of {name} read nothing for {limit:?} after the last start");
        still().into_iter().map(tell).collect()
    }

    /// Waits until more than `acks` records are acknowledged; `served` fails if they cannot be.
    pub(crate) fn await_acks(
        &mut self,
        acks: u64,
        limit: Duration,
        mut served: impl FnMut() -> Result<(), String>,
    ) -> Result<(), String> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if self.counts().acks > acks {
                return Ok(());
            }
            self.check()?;
            served()?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("no record was acknowledged for {limit:?} although the broker serves"))
    }

    /// Fails if a client ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        for driver in &mut self.drivers {
            if let Ok(Some(status)) = driver.child.try_wait() {
                return Err(format!("the client {} ended by itself: {status}", driver.name));
            }
        }
        Ok(())
    }

    /// Lets them come to their end; says which did not.
    pub(crate) fn stop(mut self) -> Result<Vec<String>, String> {
        let mut late = Vec::new();
        for driver in &mut self.drivers {
            drop(driver.child.stdin.take());
        }
        let start = Instant::now();
        for mut driver in std::mem::take(&mut self.drivers) {
            let name = driver.name;
            loop {
                match driver.child.try_wait() {
                    Ok(Some(status)) if status.success() => break,
                    Ok(Some(status)) => return Err(format!("the client {name}: {status}")),
                    Err(error) => return Err(format!("the client {name}: {error}")),
                    Ok(None) if start.elapsed() > END_LIMIT => {
                        late.push(format!("{name} does not know its outcomes after {END_LIMIT:?}"));
                        let _ = driver.child.kill();
                        let _ = driver.child.wait();
                        break;
                    }
                    Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                }
            }
            let _ = driver.history.join();
        }
        Ok(late)
    }
}

impl Drop for Drivers {
    fn drop(&mut self) {
        for driver in &mut self.drivers {
            let _ = driver.child.kill();
            let _ = driver.child.wait();
        }
    }
}

/// Reads everything from the beginning, and what is committed.
pub(crate) fn read_back(load: &Load, folder: &Path) -> Result<(), String> {
    let mut command = Command::new("timeout");
    command.args([READ_BACK_SECONDS, ".venv/bin/python", "torture.py"]);
    command.current_dir(conformance("python"));
    surroundings(&mut command, load, &NAMES.join(","));
    let errors = folder.join("final.log");
    let status = command
        .env("ROLE", "final")
        .stdin(Stdio::null())
        .stdout(file(&folder.join("final.jsonl"))?)
        .stderr(file(&errors)?)
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(());
    }
    let said = std::fs::read_to_string(errors).unwrap_or_default();
    Err(format!("the last reading failed: {status}\n{said}"))
}

fn command(name: &str) -> Command {
    match name {
        "python" => {
            let mut command = Command::new(".venv/bin/python");
            command.arg("torture.py").current_dir(conformance("python"));
            command
        }
        "java" => {
            let mut command = Command::new("java");
            command.args(["-Xmx256m", "-cp", "target/libs/*", "Torture.java"]);
            command.current_dir(conformance("java"));
            command
        }
        "kafkajs" => {
            let mut command = Command::new("node");
            command.arg("torture.js").current_dir(conformance("kafkajs"));
            command
        }
        _ => Command::new(node::target().join("debug/examples/torture")),
    }
}

fn surroundings(command: &mut Command, load: &Load, groups: &str) {
    let topics: Vec<String> =
        load.topics.iter().map(|(name, count)| format!("{name}:{count}")).collect();
    command
        .env("BOOTSTRAP", &load.bootstrap)
        .env("SEED", load.seed.to_string())
        .env("RATE", load.rate.to_string())
        .env("TOPICS", topics.join(","))
        .env("GROUPS_READ", groups);
}

fn file(path: &Path) -> Result<File, String> {
    File::create(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Keeps a client's history and counts what passes by.
fn record(from: impl std::io::Read, into: File, tally: &Tally) {
    let mut into = BufWriter::new(into);
    for line in BufReader::new(from).lines() {
        let Ok(line) = line else { break };
        // Anything else is what a runtime has to say of itself.
        if !line.starts_with('{') {
            eprintln!("{line}");
            continue;
        }
        let count = [
            ("\"ev\":\"send\"", &tally.sends),
            ("\"ev\":\"ack\"", &tally.acks),
            ("\"ev\":\"fail\"", &tally.fails),
            ("\"ev\":\"read\"", &tally.reads),
        ];
        if let Some((_, count)) = count.iter().find(|(event, _)| line.contains(event)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if writeln!(into, "{line}").is_err() {
            break;
        }
    }
    let _ = into.flush();
}
