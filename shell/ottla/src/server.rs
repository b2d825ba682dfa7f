//! `ottla server`: loads the settings, starts a node, says where it is, and stops it when asked.
//! Holds no logic of a node.

use std::convert::Infallible;
use std::process::exit;
use std::time::Duration;

use ottla_broker::{Broker, Claim, LifecycleError, StartError};
use ottla_config::{BrokerConfig, Origin, Remark, remarks};
use ottla_env::Env;
use ottla_env::os::{self, OsEnv, ShutdownSignals, Signal};

use crate::cli::ServerFlags;
use crate::exit::Exit;
use crate::join::{self, Joining};
use crate::loading::{self, Loaded};
use crate::logging;
use crate::output::{complain, print};

/// How often freed memory is looked through.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(5);
/// How often a node that joins asks for an id: more than nodes that will ever join at once.
const JOIN_TRIES: u32 = 100;

/// Runs a node until it is asked to stop.
pub(crate) fn run(flags: &ServerFlags) -> Exit {
    logging::start();
    if let Some(parent) = flags.with_parent {
        match os::end_with_parent(parent) {
            Ok(true) => {}
            Ok(false) => return refuse(&[format!("the process {parent} is gone")]),
            Err(error) => return refuse(&[format!("cannot watch process {parent}: {error}")]),
        }
    }
    let open_files = os::raise_file_limit();
    tracing::debug!(?open_files, "limit of open files");
    for _another in 0..JOIN_TRIES {
        let loaded = match loading::load(flags) {
            Ok(loaded) => loaded,
            Err(errors) => return refuse(&errors),
        };
        let config = match BrokerConfig::build(loaded.layers.clone()) {
            Ok(config) => config,
            Err(errors) => {
                let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
                return refuse(&texts);
            }
        };
        report(&loaded);
        let workers = config.layers.is_set("num.io.threads").then_some(config.node.num_io_threads);
        let workers = workers.and_then(|workers| usize::try_from(workers).ok());
        let served = os::run(workers, |env| serve(env, config, loaded.joining));
        match served {
            Ok(Served::Ended(exit)) => return exit,
            Ok(Served::Taken) => {}
            Err(error) => return refuse(&[format!("cannot start threads: {error}")]),
        }
    }
    refuse(&["other nodes that join took every id that was free; start it again".to_owned()])
}

/// What became of a node.
enum Served {
    Ended(Exit),
    /// What it was told when it joined is somebody else's; nothing of it is kept.
    Taken,
}

/// Errors that keep a node from starting, each on a line of its own.
fn refuse(errors: &[String]) -> Exit {
    complain("ottla: cannot start");
    for error in errors {
        complain(&format!("  {}", error.replace('\n', "\n  ")));
    }
    Exit::Failed
}

/// Why a node does not start, and where the setting at fault comes from.
fn advised(error: &StartError, config: &BrokerConfig) -> Vec<String> {
    let mut lines = vec![error.to_string()];
    if matches!(error, StartError::DataDir(_)) {
        let set = config.layers.fixed("log.dirs").or_else(|| config.layers.fixed("log.dir"));
        let from = set.map_or("the default of log.dirs".into(), |said| said.origin.to_string());
        lines.push(format!("the data directory is {}, from {from}", config.data_dir));
    }
    lines
}

/// What the settings give occasion to say.
fn report(loaded: &Loaded) {
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    for remark in remarks(&loaded.layers) {
        match remark {
            Remark::Unknown { .. } => tracing::warn!("{remark}"),
            Remark::Removed { .. } | Remark::NoEffect { .. } => tracing::info!("{remark}"),
        }
    }
}

async fn serve(env: OsEnv, config: BrokerConfig, joining: Joining) -> Served {
    let started = env.now();
    // From here on a signal is an orderly stop, also while the node is starting.
    let mut signals = match os::shutdown_signal() {
        Ok(signals) => signals,
        Err(error) => {
            return Served::Ended(refuse(&[format!("cannot listen for signals: {error}")]));
        }
    };
    let claim = if joining == Joining::Now { Claim::FirstCome } else { Claim::Own };
    let starting = Broker::start_as(claim, env.clone(), config.layers.clone());
    let broker = tokio::select! {
        biased;
        started = starting => started,
        signal = signals.next() => {
            tracing::info!(?signal, "stopped while starting");
            return Served::Ended(Exit::Done);
        }
    };
    let broker = match broker {
        Ok(broker) => broker,
        Err(error) => return not_started(&error, &config, joining),
    };
    if joining != Joining::Done
        && let Err(error) = join::keep(&config)
    {
        // The next start finds it as it is, and this node's registration in the cluster.
        tracing::warn!(%error, "cannot rename the file of what this node was told when it joined");
    }
    print(&banner(&broker, &config, (env.now() - started).as_millis()));
    let failed = tokio::select! {
        biased;
        signal = signals.next() => {
            tracing::info!("{}, stopping; once more stops at once", name(signal));
            false
        }
        reason = broker.failed() => {
            tracing::error!(reason, "this node stops: it can no longer follow its cluster");
            true
        }
        never = give_back_memory(&env) => match never {},
    };
    stop(broker, signals).await;
    tracing::info!("stopped");
    Served::Ended(if failed { Exit::Failed } else { Exit::Done })
}

/// A node that joins and came second lets go of what it was told; any other says why it does not start.
fn not_started(error: &StartError, config: &BrokerConfig, joining: Joining) -> Served {
    let is_taken = joining != Joining::Done && is_taken(error, config);
    if !is_taken {
        return Served::Ended(refuse(&advised(error, config)));
    }
    tracing::info!(%error, "another node was faster; the cluster is asked again");
    match join::let_go(config) {
        Ok(()) => Served::Taken,
        Err(error) => Served::Ended(refuse(&[format!(
            "cannot remove what was written for node {}: {error}",
            config.node_id
        )])),
    }
}

/// Whether what stands in the way was chosen by the join itself, and not said by somebody.
fn is_taken(error: &StartError, config: &BrokerConfig) -> bool {
    let chosen = |key: &str| {
        let set = config.layers.fixed(key);
        set.is_some_and(|set| match &set.origin {
            Origin::File { path, .. } => join::wrote(config, path),
            Origin::Environment { .. } | Origin::Flag { .. } => false,
        })
    };
    match error {
        StartError::Lifecycle(LifecycleError::DuplicateId { .. }) => chosen("node.id"),
        StartError::Listen { source, .. } => {
            source.kind() == std::io::ErrorKind::AddrInUse && chosen("listeners")
        }
        _ => false,
    }
}

/// What a load left behind does not stay with the process while it is idle.
async fn give_back_memory(env: &OsEnv) -> Infallible {
    loop {
        env.sleep(GIVE_BACK_EVERY).await;
        os::give_back_memory();
    }
}

/// Stops in good order, or at once when asked a second time.
async fn stop(broker: Broker<OsEnv>, mut signals: ShutdownSignals) {
    tokio::select! {
        biased;
        () = broker.shutdown() => {}
        signal = signals.next() => {
            tracing::warn!("{} again, stopping at once; the next start recovers", name(signal));
            exit(Exit::Interrupted as i32);
        }
    }
}

fn name(signal: Signal) -> &'static str {
    match signal {
        Signal::Terminate => "SIGTERM",
        Signal::Interrupt => "Ctrl-C",
    }
}

fn banner(broker: &Broker<OsEnv>, config: &BrokerConfig, millis: u128) -> String {
    let mut text = format!("Ottla {} is ready in {millis} ms\n", env!("CARGO_PKG_VERSION"));
    let width = broker.local_addrs().iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(7);
    for (name, address) in broker.local_addrs() {
        text.push_str(&format!("  {name:width$}  {address}\n"));
    }
    text.push_str(&format!("  {:width$}  {}\n", "data", config.data_dir));
    text.push_str(&format!("  {:width$}  {}\n", "cluster", broker.cluster_id()));
    text
}
