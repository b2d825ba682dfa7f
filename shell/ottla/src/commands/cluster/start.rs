//! `ottla cluster start`: a whole cluster on this machine in one command, until Ctrl-C.
//!
//! Each node is a process of its own, as in earnest: one of them can be killed and started again while
//! the others go on. (Several brokers in one process would start a little faster, and could only die
//! together.) Each node's settings stand in a file beside its data.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ottla_client::{Admin, Client, ClientOptions};
use ottla_env::os::{self, OsEnv, OsProcess, ShutdownSignals};
use ottla_env::{Disk, Env};

use super::{Failure, Outcome, table};
use crate::exit::Exit;
use crate::output;

mod layout;

use layout::{Layout, Member};

/// How long a cluster may take until all of its nodes serve.
const READY_MAX: Duration = Duration::from_secs(60);
/// How long nodes may take to stop.
const STOP_MAX: Duration = Duration::from_secs(30);
/// How often the nodes are looked at.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// What is shown of the log of a node that did not start.
const LOG_LINES: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// How many nodes; 3 if the folder does not say otherwise.
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..=9))]
    nodes: Option<u16>,
    /// Folder of the nodes' data and settings. A cluster that is there is started again.
    #[arg(short, long, value_name = "DIR", default_value = "ottla-cluster")]
    dir: PathBuf,
    /// Port of the first node; those of the others follow, their controllers' lie 100 higher. 0 takes
    /// free ones.
    #[arg(short, long, default_value_t = 9092)]
    port: u16,
    /// A setting of every node of a new cluster; may be given many times.
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// A node that was started.
struct Running {
    member: Member,
    process: OsProcess,
    ended: bool,
}

/// Runs the cluster until it is asked to stop.
pub(super) fn run(flags: &Start) -> Exit {
    let ran = os::run(Some(2), |env| serve(env, flags));
    match ran {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => failure.tell(),
        Err(error) => Failure::Io(error).tell(),
    }
}

async fn serve(env: OsEnv, flags: &Start) -> Outcome {
    let began = env.now();
    let mut signals = os::shutdown_signal()?;
    let layout = Layout::prepare(&env, flags).await?;
    let mut nodes = Vec::new();
    for member in &layout.members {
        match start(&env, &layout, member) {
            Ok(node) => nodes.push(node),
            Err(failure) => {
                stop(&env, &mut nodes, &mut signals).await;
                return Err(failure);
            }
        }
    }
    let ready = tokio::select! {
        biased;
        ready = wait_until_ready(&env, &layout, &mut nodes) => Some(ready),
        _signal = signals.next() => None,
    };
    match ready {
        Some(Ok(cluster_id)) => {
            let millis = (env.now() - began).as_millis();
            output::print(&banner(&layout, &nodes, &cluster_id, millis)?);
            watch(&env, &mut nodes, &mut signals).await;
        }
        Some(Err(failure)) => {
            stop(&env, &mut nodes, &mut signals).await;
            return Err(failure);
        }
        None => {}
    }
    output::complain("stopping all nodes; once more stops them at once");
    Ok(stop(&env, &mut nodes, &mut signals).await)
}

/// Must run on the first thread: the node ends with the thread that started it.
fn start(env: &OsEnv, layout: &Layout, member: &Member) -> Outcome<Running> {
    let log = layout.log_of(member);
    let config = layout.settings_of(member);
    env.disk().create_dir_all(&layout.dir)?;
    let arguments = [
        "server".to_owned(),
        "--config".to_owned(),
        config.display().to_string(),
        "--with-parent".to_owned(),
        std::process::id().to_string(),
    ];
    // What is meant for one node must not be said to all of them.
    let without = |name: &str| {
        let is_ours = name.starts_with("KAFKA_") || name.starts_with("OTTLA_");
        (is_ours && name != "OTTLA_LOG") || name == "CLUSTER_ID"
    };
    let process = OsProcess::again(&arguments, &log, without)?;
    Ok(Running { member: member.clone(), process, ended: false })
}

/// Until every node serves; the cluster's id.
async fn wait_until_ready(env: &OsEnv, layout: &Layout, nodes: &mut [Running]) -> Outcome<String> {
    let deadline = env.now() + READY_MAX;
    let options = ClientOptions {
        api_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(1),
        ..ClientOptions::new(&layout.bootstrap())
    };
    let admin = Admin::new(Client::new(env.clone(), options));
    loop {
        for node in nodes.iter_mut() {
            if let Some(how) = node.process.ended() {
                node.ended = true;
                let id = node.member.id;
                let tail = tail(env, &layout.log_of(&node.member));
                return Err(Failure::Other(format!("node {id} did not start: {how}\n{tail}")));
            }
        }
        if let Ok(described) = admin.describe_brokers().await {
            let serving = described.brokers.iter().filter(|broker| !broker.fenced).count();
            if serving >= nodes.len() {
                return Ok(described.cluster_id.to_string());
            }
        }
        if env.now() >= deadline {
            let logs = layout.dir.join("node-*.log");
            let text = format!(
                "the nodes do not serve after {} s; {} say more",
                READY_MAX.as_secs(),
                logs.display()
            );
            return Err(Failure::Other(text));
        }
        env.sleep(LOOK_PAUSE).await;
    }
}

/// The last lines of a node's log.
fn tail(env: &OsEnv, log: &Path) -> String {
    const BYTES_MAX: u64 = 1 << 20;
    let bytes = env.disk().read_file(log, BYTES_MAX).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
    last.iter().map(|line| format!("  {line}\n")).collect()
}

fn banner(layout: &Layout, nodes: &[Running], cluster_id: &str, millis: u128) -> Outcome<String> {
    let count = nodes.len();
    let mut text = format!("Ottla cluster of {count} nodes is ready in {millis} ms\n\n");
    let mut table = table::table(&["NODE", "ADDRESS", "PROCESS", "SETTINGS", "LOG"]);
    for node in nodes {
        table.add_row([
            node.member.id.to_string(),
            node.member.address.clone(),
            node.process.id().to_string(),
            layout.settings_of(&node.member).display().to_string(),
            layout.log_of(&node.member).display().to_string(),
        ]);
    }
    text.push_str(&table::text(&table));
    text.push_str(&format!("\n  bootstrap  {}\n", layout.bootstrap()));
    text.push_str(&format!("  cluster    {cluster_id}\n"));
    text.push_str("Ctrl-C stops all of it; the same command starts it again.\n");
    Ok(text)
}

/// Until a signal, or until no node is left. A node that ends is told of.
async fn watch(env: &OsEnv, nodes: &mut [Running], signals: &mut ShutdownSignals) {
    loop {
        for node in nodes.iter_mut().filter(|node| !node.ended) {
            if let Some(how) = node.process.ended() {
                node.ended = true;
                output::complain(&format!("node {} ended: {how}", node.member.id));
            }
        }
        if nodes.iter().all(|node| node.ended) {
            return;
        }
        tokio::select! {
            biased;
            _signal = signals.next() => return,
            () = env.sleep(LOOK_PAUSE) => {}
        }
    }
}

/// Asks all nodes to end, and waits; a second signal, or too long a wait, ends them at once.
async fn stop(env: &OsEnv, nodes: &mut [Running], signals: &mut ShutdownSignals) -> Exit {
    let deadline = env.now() + STOP_MAX;
    nodes.iter().for_each(|node| node.process.terminate());
    loop {
        for node in nodes.iter_mut() {
            node.ended |= node.process.ended().is_some();
        }
        if nodes.iter().all(|node| node.ended) {
            return Exit::Done;
        }
        let again = tokio::select! {
            biased;
            _signal = signals.next() => true,
            () = env.sleep(LOOK_PAUSE) => false,
        };
        if again || env.now() >= deadline {
            nodes.iter_mut().for_each(|node| node.process.kill());
            return if again { Exit::Interrupted } else { Exit::TimedOut };
        }
    }
}
