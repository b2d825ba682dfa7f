//! `cargo xtask differential`: a crate of its own, so that other tasks are not kept waiting for what it is built
//! on. For scripts that want several nodes, the clusters are started here, and stopped and started node by
//! node as the scripts say.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::cluster::kafka;
use crate::cluster::network::Network;
use crate::cluster::node::Software;
use crate::cluster::{Cluster, Seat};
use crate::source;
use crate::torture::node;

/// A cluster is whole again within this, Kafka's too.
const SETTLE_LIMIT: Duration = Duration::from_secs(120);
/// So that a killed broker is missed soon, alike on both sides.
const SETTINGS: [&str; 4] = [
    "broker.session.timeout.ms=3000",
    "broker.heartbeat.interval.ms=500",
    "replica.lag.time.max.ms=60000",
    "auto.leader.rebalance.enable=false",
];

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let mut rest = args.to_vec();
    match take(&mut rest, "--nodes") {
        Some(brokers) => several(brokers.parse().map_err(|_| "--nodes wants a number")?, rest),
        None => play(args),
    }
}

fn play(args: &[String]) -> Result<(), String> {
    let status = std::process::Command::new("cargo")
        .args(["run", "--quiet", "--locked", "--package", "differential", "--"])
        .args(args)
        .current_dir(source::root())
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("differential: not equal".to_string()) }
}

/// Takes an option and its value out.
fn take(args: &mut Vec<String>, name: &str) -> Option<String> {
    let at = args.iter().position(|word| word == name)?;
    let value = args.get(at + 1).cloned();
    args.drain(at..(at + 2).min(args.len()));
    value
}

fn several(brokers: u16, mut args: Vec<String>) -> Result<(), String> {
    let version = take(&mut args, "--kafka");
    let binary = match take(&mut args, "--binary") {
        Some(path) => PathBuf::from(path),
        None => node::build()?,
    };
    let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
    let ottla = start("ottla", &Software::Ottla { binary }, brokers)?;
    let kafka = match version {
        Some(version) => {
            Some(start("kafka", &Software::Kafka { libs: kafka::jars(&version)? }, brokers)?)
        }
        None => None,
    };
    let both = [("ottla", Some(ottla)), ("kafka", kafka)];
    let mut folders = Vec::new();
    for (name, prepared) in both {
        let Some((mut cluster, folder)) = prepared else { continue };
        let control = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let address = control.local_addr().map_err(|error| error.to_string())?.to_string();
        let words = match name {
            "ottla" => ["--ottla", "--control"],
            _ => ["--kafka", "--kafka-control"],
        };
        let options = [(words[0], cluster.bootstrap()), (words[1], address.clone())];
        args.extend(options.into_iter().flat_map(|(word, value)| [word.to_string(), value]));
        let served = std::thread::spawn(move || serve(&mut cluster, &control));
        folders.push((address, served, folder));
    }
    let played = play(&args);
    for (address, served, folder) in folders {
        let _ = order(&address, "end");
        let _ = served.join();
        let _ = std::fs::remove_dir_all(&folder);
    }
    played
}

/// Brokers, and a controller that is none: any of the brokers may be stopped. Its ports are taken before
/// another cluster looks for some.
fn start(name: &str, software: &Software, brokers: u16) -> Result<(Cluster, PathBuf), String> {
    let seat = |is_broker| Seat::new(software.clone(), is_broker, !is_broker);
    let mut seats = vec![seat(true); usize::from(brokers)];
    seats.push(seat(false));
    let folder = std::env::temp_dir().join(format!("ottla-diff-{name}-{}", std::process::id()));
    let network = Network::loopback(brokers + 1)?;
    let mut more = SETTINGS.map(str::to_string).to_vec();
    if let Software::Ottla { .. } = software {
        more.push("ottla.metadata.version=4.3-IV0".to_string());
    }
    let mut cluster = Cluster::prepare(&seats, network, &folder, &more, false)?;
    println!("{name}: all there after {} ms", cluster.start()?.as_millis());
    Ok((cluster, folder))
}

/// Does what it is told, one line a connection, until the end.
fn serve(cluster: &mut Cluster, control: &TcpListener) {
    for stream in control.incoming().filter_map(Result::ok) {
        let mut line = String::new();
        let Ok(copy) = stream.try_clone() else { return };
        let _ = BufReader::new(copy).read_line(&mut line);
        let done = obey(cluster, line.trim());
        let answer = done.err().unwrap_or_else(|| "done".to_string()).replace('\n', " ");
        let mut stream = stream;
        let _ = writeln!(stream, "{answer}");
        if line.trim() == "end" {
            return;
        }
    }
}

fn obey(cluster: &mut Cluster, line: &str) -> Result<(), String> {
    let (order, id) = line.split_once(' ').unwrap_or((line, ""));
    let id = || match id.parse() {
        Ok(id) if (1..=cluster.len()).contains(&id) => Ok(id),
        _ => Err(format!("there is no node {id:?}")),
    };
    match order {
        "stop" => {
            let id = id()?;
            cluster.node(id).stop().map(drop)
        }
        "kill" => {
            let id = id()?;
            cluster.node(id).kill();
            Ok(())
        }
        "start" => {
            let id = id()?;
            cluster.spawn(id)
        }
        "settle" => {
            for id in 1..=cluster.len() {
                if !cluster.node(id).is_running() {
                    cluster.spawn(id)?;
                }
            }
            cluster.await_brokers(SETTLE_LIMIT)?;
            cluster.await_in_sync(SETTLE_LIMIT).map(drop)
        }
        "end" => {
            cluster.stop();
            Ok(())
        }
        _ => Err(format!("what is {order}?")),
    }
}

fn order(address: &str, order: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    writeln!(stream, "{order}")?;
    BufReader::new(stream).read_line(&mut String::new()).map(drop)
}
