//! `ottla-sim run`: the power-cut test over many seeds, or one seed again.

use std::process::ExitCode;

use ottla_sim::log::Printer;
use ottla_sim::node::Flush;
use ottla_sim::runner::{Height, Plan, replay, run};

/// As in the broker's own binary; a world is many small things that live for moments.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str =
    "usage: ottla-sim run [--seeds N] [--start S] [--seed X] [--height H] [--nodes N]
                     [--flush wal|none] [--plant NAME] [--each] [--log LEVEL] [-v]
       ottla-sim plants [--seeds N] [--short] [--only NAME]   (with the feature `planted`)

  --seeds N   how many seeds to run (100)
  --start S   the first of them (0)
  --seed X    only this seed, with its numbers
  --height H  swarm: clusters and all that can go wrong; quorum, partition,
              controller: machines alone; broker: the whole broker and power cuts;
              log, log-life: the log alone; group-life: a shard of groups alone
  --nodes N   of a swarm's cluster (1)
  --flush M   ottla.flush: wal (nothing may be lost) or none (losses are found)
  --plant P   with this bug in the code (with the feature `planted`)
  --each      each seed's numbers as a line for programs; goes on after a failure
  --log LEVEL what brokers log down to this level (info, debug), with machine and time
  -v          each seed's numbers";

/// Violations shown of a failed seed.
const SHOWN: usize = 20;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == "plants") {
        return plants(&args[1..]);
    }
    let plan = match parse(&args) {
        Ok(plan) => plan,
        Err(text) => {
            eprintln!("{text}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let summary = run(&plan);
    println!(
        "{} seeds, {} records acknowledged, {} read back, {} power cuts, {} kills",
        summary.seeds, summary.acknowledged, summary.read_back, summary.cuts, summary.kills
    );
    let Some((seed, report)) = summary.failed else { return ExitCode::SUCCESS };
    for violation in report.violations.iter().take(SHOWN) {
        println!("  {violation}");
    }
    if report.violations.len() > SHOWN {
        println!("  and {} more", report.violations.len() - SHOWN);
    }
    println!("seed {seed} failed; again with: {}", replay(seed, &plan));
    ExitCode::FAILURE
}

#[cfg(not(feature = "planted"))]
fn plants(_args: &[String]) -> ExitCode {
    eprintln!(
        "this build has no planted bugs: cargo run -p ottla-sim --features planted -- plants"
    );
    ExitCode::from(2)
}

/// `plants [--seeds N] [--short] [--only NAME]`
#[cfg(feature = "planted")]
fn plants(args: &[String]) -> ExitCode {
    let mut hunt = ottla_sim::plants::Hunt { seeds: 1000, short: false, only: None };
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        let value = if flag == "--short" { None } else { args.next() };
        match (flag.as_str(), value.map(|value| (value, value.parse()))) {
            ("--short", _) => hunt.short = true,
            ("--seeds", Some((_, Ok(seeds)))) => hunt.seeds = seeds,
            ("--only", Some((name, _))) => hunt.only = Some(name.clone()),
            _ => {
                eprintln!("{flag}: the flags are --seeds N, --short and --only NAME");
                return ExitCode::from(2);
            }
        }
    }
    if ottla_sim::plants::hunt(&hunt) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(args: &[String]) -> Result<Plan, String> {
    let mut plan = Plan {
        start: 0,
        seeds: 100,
        flush: Flush::Wal,
        height: Height::Broker,
        verbose: false,
        each: false,
    };
    let mut nodes = 1;
    let mut args = args.iter();
    if args.next().map(String::as_str) != Some("run") {
        return Err("the command is `run`".to_owned());
    }
    while let Some(flag) = args.next() {
        match flag.as_str() {
            "-v" => plan.verbose = true,
            "--each" => plan.each = true,
            _ => {}
        }
        if flag == "-v" || flag == "--each" {
            continue;
        }
        let value = args.next().ok_or_else(|| format!("{flag} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{flag} {value}: {error}"));
        match flag.as_str() {
            "--seeds" => plan.seeds = number()?,
            "--start" => plan.start = number()?,
            "--seed" => (plan.start, plan.seeds, plan.verbose) = (number()?, 1, true),
            "--nodes" => nodes = u8::try_from(number()?).map_err(|error| error.to_string())?,
            "--log" => log_down_to(value)?,
            "--flush" => plan.flush = flush(value)?,
            "--plant" => plant(value)?,
            "--height" => plan.height = height(value)?,
            _ => return Err(format!("{flag} is unknown")),
        }
    }
    if let Height::Swarm(of) = &mut plan.height {
        *of = nodes.max(1);
    }
    plan.seeds = plan.seeds.min(u64::MAX - plan.start);
    Ok(plan)
}

#[cfg(feature = "planted")]
fn plant(word: &str) -> Result<(), String> {
    let mut all = ottla_plant::Plant::ALL.iter();
    let plant = all.find(|plant| plant.name() == word);
    let plant = plant.ok_or_else(|| format!("--plant {word}: there is none of that name"))?;
    ottla_plant::activate(Some(*plant));
    Ok(())
}

#[cfg(not(feature = "planted"))]
fn plant(_word: &str) -> Result<(), String> {
    Err("this build has no planted bugs".to_owned())
}

fn log_down_to(word: &str) -> Result<(), String> {
    let level = word.parse().map_err(|_| format!("--log {word}: not a level"))?;
    tracing::subscriber::set_global_default(Printer::new(level)).map_err(|error| error.to_string())
}

fn flush(word: &str) -> Result<Flush, String> {
    match word {
        "wal" => Ok(Flush::Wal),
        "none" => Ok(Flush::None),
        _ => Err(format!("--flush is wal or none, not {word}")),
    }
}

fn height(word: &str) -> Result<Height, String> {
    match word {
        "broker" => Ok(Height::Broker),
        "log" => Ok(Height::Log),
        "log-life" => Ok(Height::LogLife),
        "group-life" => Ok(Height::GroupLife),
        "quorum" => Ok(Height::Quorum),
        "partition" => Ok(Height::Partition),
        "controller" => Ok(Height::Controller),
        "swarm" => Ok(Height::Swarm(1)),
        _ => Err(format!(
            "--height is swarm, quorum, partition, controller, broker, log, log-life or group-life, \
             not {word}"
        )),
    }
}
