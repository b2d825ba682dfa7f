//! `cargo xtask sim`: long campaigns of the simulator, with progress, and a table at the end. Each story
//! runs in a process of its own that is ended when its time is up, or when a seed spins.

use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::source;

pub(crate) const USAGE: &str = "usage: cargo xtask sim [OPTIONS]

  --seconds S       for all stories together (60)
  --only NAME       one story: quorum, partition, controller, swarm-1, swarm-3, swarm-5, log-life, group-life, broker, log
  --start X         the first seed (0)
  --binary PATH     ottla-sim; built with --release if it is not given
  --short           half a minute of everything";

/// A story: its name, its arguments, and its share of the time.
const STORIES: [(&str, &[&str], u64); 10] = [
    ("quorum", &["--height", "quorum"], 2),
    ("partition", &["--height", "partition"], 2),
    ("controller", &["--height", "controller"], 1),
    ("swarm-1", &["--height", "swarm", "--nodes", "1"], 4),
    ("swarm-3", &["--height", "swarm", "--nodes", "3"], 8),
    ("swarm-5", &["--height", "swarm", "--nodes", "5"], 2),
    ("log-life", &["--height", "log-life"], 1),
    ("group-life", &["--height", "group-life"], 1),
    ("broker", &["--height", "broker"], 1),
    ("log", &["--height", "log"], 1),
];
/// As good as endless.
const SEEDS: &str = "1000000000";
/// A seed that takes longer spins in one step, where the simulator cannot see it.
const SEED_LIMIT: Duration = Duration::from_secs(180);
/// Between two words of progress where nobody looks at a terminal.
const PROGRESS: Duration = Duration::from_secs(30);
/// Findings told in full.
const TOLD_MAX: usize = 30;

struct Options {
    seconds: u64,
    only: Option<String>,
    start: u64,
    binary: Option<PathBuf>,
}

/// What a story did.
#[derive(Default)]
struct Tally {
    seeds: u64,
    sim_ms: u64,
    steps: u64,
    acknowledged: u64,
    cuts: u64,
    took: Duration,
    findings: Vec<(u64, String)>,
}

/// Runs the campaign; fails if anything was found.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let options = parse(args)?;
    let binary = match &options.binary {
        Some(path) => path.clone(),
        None => build()?,
    };
    let chosen = |name: &str| options.only.as_deref().is_none_or(|only| only == name);
    let stories: Vec<_> = STORIES.iter().filter(|(name, ..)| chosen(name)).collect();
    let shares: u64 = stories.iter().map(|(.., share)| share).sum();
    if shares == 0 {
        return Err(USAGE.to_owned());
    }
    let mut done = Vec::new();
    for (name, arguments, share) in stories {
        let limit = Duration::from_millis(options.seconds * 1000 * share / shares);
        let tally = campaign(&binary, name, arguments, options.start, limit)?;
        done.push((*name, *arguments, tally));
    }
    print(&done);
    let found: usize = done.iter().map(|(.., tally)| tally.findings.len()).sum();
    if found == 0 { Ok(()) } else { Err(format!("{found} seeds broke a promise")) }
}

fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options { seconds: 60, only: None, start: 0, binary: None };
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        if flag == "--short" {
            options.seconds = 30;
            continue;
        }
        let value = args.next().ok_or(USAGE)?;
        match flag.as_str() {
            "--seconds" => options.seconds = value.parse().map_err(|_| USAGE)?,
            "--start" => options.start = value.parse().map_err(|_| USAGE)?,
            "--only" => options.only = Some(value.clone()),
            "--binary" => options.binary = Some(PathBuf::from(value)),
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(options)
}

fn build() -> Result<PathBuf, String> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "--package", "ottla-sim"])
        .current_dir(source::root())
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err("ottla-sim was not built".to_owned());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| source::root().join("target"));
    Ok(target.join("release/ottla-sim"))
}

/// One story, until its time is up.
fn campaign(
    binary: &PathBuf,
    name: &str,
    arguments: &[&str],
    start: u64,
    limit: Duration,
) -> Result<Tally, String> {
    let began = Instant::now();
    let mut tally = Tally::default();
    let mut next = start;
    while began.elapsed() < limit {
        let (mut child, rows) = spawn(binary, arguments, next)?;
        let spun = listen(&rows, name, began, limit, &mut next, &mut tally);
        let _ = child.kill();
        let _ = child.wait();
        match spun {
            None => break,
            Some(text) => {
                // On with the seed after the one that did not come back.
                tally.findings.push((next, text));
                next += 1;
            }
        }
    }
    tally.took = began.elapsed();
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    Ok(tally)
}

fn spawn(
    binary: &PathBuf,
    arguments: &[&str],
    start: u64,
) -> Result<(Child, Receiver<String>), String> {
    let mut child = Command::new(binary)
        .arg("run")
        .args(arguments)
        .args(["--each", "--seeds", SEEDS, "--start", &start.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let (sender, rows) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Ok((child, rows))
}

/// Reads along until the time is up; says why if the process stopped telling before that.
fn listen(
    rows: &Receiver<String>,
    name: &str,
    began: Instant,
    limit: Duration,
    next: &mut u64,
    tally: &mut Tally,
) -> Option<String> {
    let mut heard = Instant::now();
    let mut told = Instant::now();
    while began.elapsed() < limit {
        match rows.recv_timeout(Duration::from_millis(200)) {
            Ok(row) => {
                heard = Instant::now();
                *next = 1 + tally.take_in(&row)?;
            }
            Err(RecvTimeoutError::Timeout) if heard.elapsed() > SEED_LIMIT => {
                return Some(format!("spins: no end after {} s", SEED_LIMIT.as_secs()));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Some("the process ended: out of memory, or a panic in a panic".to_owned());
            }
        }
        let terminal = std::io::stderr().is_terminal();
        if terminal || told.elapsed() > PROGRESS {
            told = Instant::now();
            let (end, found) = (if terminal { '\r' } else { '\n' }, tally.findings.len());
            let hours = tally.sim_ms as f64 / 3.6e6;
            eprint!("{name}: {} seeds, {hours:.1} hours, {found} findings{end}", tally.seeds);
            let _ = std::io::stderr().flush();
        }
    }
    None
}

impl Tally {
    /// Reads a row of `ottla-sim run --each`; answers which seed it was.
    fn take_in(&mut self, row: &str) -> Option<u64> {
        let mut fields = row.split('\t');
        let mut number = || fields.next()?.parse::<u64>().ok();
        let (seed, sim_ms, steps) = (number()?, number()?, number()?);
        let (acknowledged, _read, cuts, _kills) = (number()?, number()?, number()?, number()?);
        let (_trace, found) = (fields.next()?, fields.next()?);
        self.seeds += 1;
        self.sim_ms += sim_ms;
        self.steps += steps;
        self.acknowledged += acknowledged;
        self.cuts += cuts;
        if !found.is_empty() {
            self.findings.push((seed, found.to_owned()));
        }
        Some(seed)
    }
}

fn print(done: &[(&str, &[&str], Tally)]) {
    println!(
        "{:<11} {:>8} {:>10} {:>9} {:>9} {:>12} {:>11} {:>9} {:>8}",
        "story",
        "seeds",
        "sim hours",
        "seconds",
        "sim s/s",
        "steps/s",
        "records",
        "cuts",
        "findings"
    );
    for (name, _, tally) in done {
        let took = tally.took.as_secs_f64().max(0.001);
        println!(
            "{name:<11} {:>8} {:>10.2} {took:>9.1} {:>9.0} {:>12.0} {:>11} {:>9} {:>8}",
            tally.seeds,
            tally.sim_ms as f64 / 3.6e6,
            tally.sim_ms as f64 / 1e3 / took,
            tally.steps as f64 / took,
            tally.acknowledged,
            tally.cuts,
            tally.findings.len()
        );
    }
    for (_, arguments, tally) in done {
        for (seed, text) in tally.findings.iter().take(TOLD_MAX) {
            let again = arguments.join(" ");
            println!("{text}\n  cargo run -p ottla-sim -- run {again} --seed {seed}");
        }
    }
}
