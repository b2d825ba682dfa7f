//! Real clients against the real binary: each client's runner prints one `ok` or `not ok` line a
//! check, and this prints the table. What a client needs is installed by package name.

mod clients;
mod several;

use std::process::Command;
use std::time::Duration;

use clients::{CLIENTS, Client};

use crate::broker::Broker;
use crate::source;

const USAGE: &str = "usage: cargo xtask conformance [CLIENT...] [OPTIONS]

  --against HOST:PORT   another broker, which runs already
  --binary PATH         the broker; built with --release if it is not given
  --nodes N             a cluster of so many, each of them a bootstrap server
  --restarting          with --nodes: one after the other is restarted, every ten seconds
  --every MS            with --restarting: instead of every ten seconds
  --kafka VERSION       with --nodes: the nodes run Apache Kafka, to see what a client makes of that
  --run COMMAND         with --nodes: this, for bash, and no client; BOOTSTRAP says where";

/// What was asked for.
struct Options {
    clients: Vec<&'static Client>,
    against: Option<String>,
    binary: Option<String>,
    nodes: u16,
    restarting: bool,
    every: Duration,
    kafka: Option<String>,
    run: Option<String>,
}

/// Where the clients find what they are run against.
struct Target {
    /// host:port, with commas.
    bootstrap: String,
    /// The files of node 1; empty where they are not known.
    data: std::path::PathBuf,
    /// Of how many nodes.
    nodes: u16,
    /// One after the other is being restarted.
    restarting: bool,
}

/// Starts the binary on a free port, runs the clients one after the other, prints the table.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let options = parse(args)?;
    let clients = |target: &Target| -> Vec<Row> {
        match &options.run {
            Some(command) => vec![run_command(command, target)],
            None => options.clients.iter().map(|client| run_client(client, target)).collect(),
        }
    };
    let rows = match &options.against {
        None if options.nodes > 1 => several::run(&options, clients)?,
        Some(address) => clients(&Target::of(&Broker::running(address))),
        None => {
            let broker = Broker::start(options.binary.as_deref(), &[])?;
            clients(&Target::of(&broker))
        }
    };
    println!("\n{:<16} {:>6} {:>6}  failures", "client", "passed", "failed");
    let mut failed = 0;
    let mut passed = 0;
    for row in &rows {
        println!(
            "{:<16} {:>6} {:>6}  {}",
            row.name,
            row.passed,
            row.failed.len(),
            row.failed.join("; ")
        );
        passed += row.passed;
        failed += row.failed.len();
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { Ok(()) } else { Err("conformance: some checks failed".to_string()) }
}

/// Installs what a client needs, by package name.
pub(crate) fn install(name: &str) -> Result<(), String> {
    let client = CLIENTS.iter().find(|client| client.name == name);
    client.ok_or_else(|| format!("no client {name}"))?.install()
}

impl Target {
    fn of(broker: &Broker) -> Target {
        Target {
            bootstrap: broker.address.clone(),
            data: broker.data.clone(),
            nodes: 1,
            restarting: false,
        }
    }
}

fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options {
        clients: Vec::new(),
        against: None,
        binary: None,
        nodes: 1,
        restarting: false,
        every: several::EVERY,
        kafka: None,
        run: None,
    };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--against" => options.against = words.next().cloned(),
            "--binary" => options.binary = words.next().cloned(),
            "--kafka" => options.kafka = words.next().cloned(),
            "--run" => options.run = words.next().cloned(),
            "--nodes" => {
                let number = words.next().and_then(|word| word.parse().ok());
                options.nodes = number.ok_or(USAGE)?;
            }
            "--every" => {
                let number = words.next().and_then(|word| word.parse().ok());
                options.every = Duration::from_millis(number.ok_or(USAGE)?);
            }
            "--restarting" => options.restarting = true,
            "--help" => return Err(USAGE.to_string()),
            name => {
                let names: Vec<_> = CLIENTS.iter().map(|client| client.name).collect();
                let client = CLIENTS
                    .iter()
                    .find(|client| client.name == name)
                    .ok_or_else(|| format!("no client {name}; there are {}", names.join(", ")))?;
                options.clients.push(client);
            }
        }
    }
    if options.clients.is_empty() {
        options.clients.extend(CLIENTS.iter().filter(|client| client.nodes <= options.nodes));
    }
    Ok(options)
}

/// How one client did.
struct Row {
    name: &'static str,
    passed: usize,
    failed: Vec<String>,
}

/// What was asked for, to look into one thing; its words are its own.
fn run_command(command: &str, target: &Target) -> Row {
    let status = Command::new("bash")
        .args(["-c", command])
        .current_dir(source::root().join("conformance"))
        .env("BOOTSTRAP", &target.bootstrap)
        .env("NODES", target.nodes.to_string())
        .status();
    let (passed, failed) = match status {
        Ok(status) if status.success() => (1, Vec::new()),
        Ok(status) => (0, vec![status.to_string()]),
        Err(error) => (0, vec![error.to_string()]),
    };
    Row { name: "command", passed, failed }
}

fn run_client(client: &'static Client, target: &Target) -> Row {
    println!("== {}", client.name);
    let mut row = Row { name: client.name, passed: 0, failed: Vec::new() };
    if let Err(message) = client.install() {
        row.failed.push(message);
        return row;
    }
    let output = Command::new("timeout")
        .args(["600", "bash", "-c", client.run])
        .current_dir(source::root().join("conformance").join(client.folder))
        .env("BOOTSTRAP", &target.bootstrap)
        .env("DATA_DIR", &target.data)
        .env("NODES", target.nodes.to_string())
        .env("RESTARTING", if target.restarting { "1" } else { "0" })
        .env("NODE_ID", "1")
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            row.failed.push(error.to_string());
            return row;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines() {
        println!("{line}");
        if line.starts_with("ok ") {
            row.passed += 1;
        } else if let Some(name) = line.strip_prefix("not ok ") {
            row.failed.push(name.to_string());
        }
    }
    if !output.status.success() && row.failed.is_empty() {
        let errors = String::from_utf8_lossy(&output.stderr);
        row.failed.push(format!("{}: {}", output.status, errors.lines().last().unwrap_or("")));
    }
    if row.passed == 0 && row.failed.is_empty() {
        row.failed.push("no check ran".to_string());
    }
    row
}
