//! Real clients against the real binary: each client's runner prints one `ok` or `not ok` line a
//! check, and this prints the table. What a client needs is installed by package name.

mod clients;

use std::process::Command;

use clients::{CLIENTS, Client};

use crate::broker::Broker;
use crate::source;

/// What was asked for.
struct Options {
    clients: Vec<&'static Client>,
    against: Option<String>,
    binary: Option<String>,
}

/// Starts the binary on a free port, runs the clients one after the other, prints the table.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let options = parse(args)?;
    let broker = match &options.against {
        Some(address) => Broker::running(address),
        None => Broker::start(options.binary.as_deref(), &[])?,
    };
    let mut rows = Vec::new();
    for client in &options.clients {
        rows.push(run_client(client, &broker));
    }
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

fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options { clients: Vec::new(), against: None, binary: None };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--against" => options.against = words.next().cloned(),
            "--binary" => options.binary = words.next().cloned(),
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
        options.clients.extend(&CLIENTS);
    }
    Ok(options)
}

/// How one client did.
struct Row {
    name: &'static str,
    passed: usize,
    failed: Vec<String>,
}

fn run_client(client: &'static Client, broker: &Broker) -> Row {
    println!("== {}", client.name);
    let mut row = Row { name: client.name, passed: 0, failed: Vec::new() };
    if let Err(message) = client.install() {
        row.failed.push(message);
        return row;
    }
    let output = Command::new("timeout")
        .args(["300", "bash", "-c", client.run])
        .current_dir(source::root().join("conformance").join(client.folder))
        .env("BOOTSTRAP", &broker.address)
        .env("DATA_DIR", &broker.data)
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
