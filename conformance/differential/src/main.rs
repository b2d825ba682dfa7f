//! `cargo xtask differential`: the same requests to Apache Kafka and to Ottla, the answers compared field by
//! field. What may differ is said, with its reason, in `allowed.toml`.

mod codec;
mod batch;
mod script;
mod connection;
mod venue;
mod play;
mod allowed;
mod compare;
mod recorded;
mod node;
mod crowd;
mod options;
mod report;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use allowed::Allowed;
use crowd::Played;
use options::Options;
use recorded::Recorded;
use report::{Report, Row};
use script::Script;
use venue::Venue;

fn main() -> ExitCode {
    match options::parse(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Whether there is no difference that is not allowed.
fn run(options: &Options) -> Result<bool, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = folder.join("../..");
    let allowed = Allowed::load(&folder.join("allowed.toml"), options.is_cluster())?;
    let place = |name: &str| match options.is_cluster() {
        true => folder.join(name).join("cluster"),
        false => folder.join(name),
    };
    let all = script::load(&place("scripts"))?;
    let chosen: Vec<&Script> = all.iter().filter(|script| options.wants(&script.name)).collect();
    if options.list {
        chosen.iter().for_each(|script| println!("{}", script.name));
        return Ok(true);
    }
    if chosen.is_empty() {
        return Err("no script has such a name; --list shows them".to_owned());
    }
    let start = Instant::now();
    let records = place("recorded");
    let mut recorded = recorded::load(&records)?;
    let (kafka, ottla) = play_both(options, &root, &chosen)?;
    let mut rows = Vec::new();
    for script in &chosen {
        let asked = kafka.as_ref().and_then(|played| played.get(&script.name).cloned());
        let kept = || recorded.get(&script.name).cloned().ok_or("not recorded".to_owned());
        let answers = asked.unwrap_or_else(kept);
        let own = ottla.get(&script.name).cloned().unwrap_or(Err("not played".to_owned()));
        rows.push(Row::judge(&script.name, answers, own, &allowed));
    }
    if options.record {
        remember(&mut recorded, &rows, &all, options, &records)?;
    }
    let whole = options.names.is_empty();
    let stale = if whole { allowed.stale(options.is_cluster()) } else { Vec::new() };
    let report = Report { rows, stale, seconds: start.elapsed().as_secs_f64() };
    report.print(options);
    Ok(report.is_good())
}

/// Kafka's answers, where it is asked, and Ottla's.
fn play_both(
    options: &Options,
    root: &Path,
    chosen: &[&Script],
) -> Result<(Option<Played>, Played), String> {
    let node = match &options.ottla {
        Some(_) => None,
        None => Some(node::Node::start(root, options.binary.as_deref())?),
    };
    let own = options.ottla.clone().or(node.as_ref().map(|node| node.address.clone()));
    let own = Venue::new(&own.unwrap_or_default(), options.control.as_deref());
    let control = options.kafka_control.as_deref();
    let theirs = options.kafka.as_deref().map(|address| Venue::new(address, control));
    Ok(std::thread::scope(|scope| {
        let kafka = theirs
            .as_ref()
            .map(|venue| scope.spawn(move || crowd::play_all(chosen, venue, "kafka")));
        let ottla = crowd::play_all(chosen, &own, "ottla");
        (kafka.map(|kafka| kafka.join().unwrap_or_default()), ottla)
    }))
}

/// Writes what Kafka answered; scripts that are gone are forgotten.
fn remember(
    recorded: &mut Recorded,
    rows: &[Row],
    all: &[Script],
    options: &Options,
    folder: &Path,
) -> Result<(), String> {
    for row in rows {
        if let Some(answers) = &row.kafka {
            recorded.insert(row.script.clone(), answers.clone());
        }
    }
    recorded.retain(|name, _| all.iter().any(|script| script.name == *name));
    let mut families: Vec<&str> = all
        .iter()
        .filter(|script| options.wants(&script.name))
        .map(|script| script.family())
        .collect();
    families.sort_unstable();
    families.dedup();
    recorded::save(folder, recorded, &families)
}

impl Options {
    fn wants(&self, script: &str) -> bool {
        let named = |name: &String| {
            allowed::text_matches(name, script) || script.starts_with(&format!("{name}/"))
        };
        self.names.is_empty() || self.names.iter().any(named)
    }
}
