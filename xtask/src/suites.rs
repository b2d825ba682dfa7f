//! Test suites that others wrote, run against Ottla. `conformance/suites/NAME.sh` fetches a suite, builds it and
//! prints one line a test; `NAME.allow` names the tests that may fail, each with its reason. A failure
//! that is not named is a fault, and so is a named test that passes.

mod allow;
mod script;
mod verdict;

use std::path::PathBuf;

use allow::Allowed;
use script::Script;
use verdict::Verdict;

use crate::broker::Broker;
use crate::source;

/// What the suites expect of a broker, unless `NAME.settings` says otherwise: node 0, and four partitions
/// for a topic that comes into being on its own, as in the clusters they are written for, and a moment for
/// members that start together to be assigned together. `{port}`
/// stands for the port of the broker.
const SETTINGS: [&str; 4] = [
    "node.id=0",
    "num.partitions=4",
    "group.initial.rebalance.delay.ms=100",
    "advertised.listeners=PLAINTEXT://127.0.0.1:{port}",
];

/// What was asked for.
#[derive(Default)]
struct Options {
    names: Vec<String>,
    only: Option<String>,
    short: bool,
    against: Option<String>,
    binary: Option<String>,
    source: Option<PathBuf>,
    json: bool,
}

/// Runs the suites one after the other, each against a broker of its own, and prints the table.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let options = parse(args)?;
    let mut verdicts = Vec::new();
    for name in &options.names {
        verdicts.push(run_suite(name, &options)?);
    }
    if options.json {
        println!("{}", verdict::json(&verdicts));
    } else {
        println!("{}", verdict::table(&verdicts));
    }
    let faults: usize = verdicts.iter().map(Verdict::faults).sum();
    if faults == 0 { Ok(()) } else { Err(format!("suites: {faults} faults")) }
}

fn run_suite(name: &str, options: &Options) -> Result<Verdict, String> {
    let folder = source::root().join("conformance/suites");
    let read = |ending: &str| std::fs::read_to_string(folder.join(format!("{name}.{ending}")));
    let allowed = allow::parse(&read("allow").unwrap_or_default())
        .map_err(|fault| format!("{name}.allow: {fault}"))?;
    let chosen = match (&options.only, options.short) {
        (Some(word), _) => vec![word.clone()],
        (None, true) => words(&read("short").map_err(|error| format!("{name}.short: {error}"))?),
        (None, false) => Vec::new(),
    };
    let script = Script::new(&folder, name, options.source.clone(), options.json);
    script.prepare()?;
    // Another broker than ours is there to show which failures are its own too.
    let allowed: Vec<Allowed> = match &options.against {
        Some(_) => allowed.into_iter().filter(Allowed::holds_for_kafka).collect(),
        None => allowed,
    };
    let broker = match &options.against {
        Some(address) => Broker::running(address),
        None => Broker::start(
            options.binary.as_deref(),
            &settings(&read("settings").unwrap_or_default()),
        )?,
    };
    let results = script.run(&broker.address, &chosen)?;
    Ok(verdict::judge(name, &results, &allowed, chosen.is_empty()))
}

/// The settings of every suite and then a suite's own; the last of a key counts.
fn settings(own: &str) -> Vec<&str> {
    let own = own.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    SETTINGS.into_iter().chain(own).collect()
}

/// The first word of each line that is not a comment.
fn words(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_string).collect()
}

fn parse(args: &[String]) -> Result<Options, String> {
    let there = names()?;
    let mut options = Options::default();
    let mut rest = args.iter();
    while let Some(word) = rest.next() {
        let mut value = || rest.next().cloned().ok_or_else(|| format!("{word} wants a value"));
        match word.as_str() {
            "--only" => options.only = Some(value()?),
            "--short" => options.short = true,
            "--against" => options.against = Some(value()?),
            "--binary" => options.binary = Some(value()?),
            "--source" => options.source = Some(PathBuf::from(value()?)),
            "-o" => options.json = value()? == "json",
            name if there.iter().any(|known| known == name) => options.names.push(word.clone()),
            name => return Err(format!("no suite {name}; there are {}", there.join(", "))),
        }
    }
    if options.names.is_empty() {
        options.names = there;
    }
    if options.source.is_some() && options.names.len() != 1 {
        return Err("--source is the folder of one suite: name that suite".to_string());
    }
    Ok(options)
}

/// Every suite with a script, in the order of the alphabet.
fn names() -> Result<Vec<String>, String> {
    let folder = source::root().join("conformance/suites");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".sh").map(str::to_string));
    }
    names.sort();
    Ok(names)
}
