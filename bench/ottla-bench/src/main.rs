//! Measures a broker from outside. A tool, not the product: it may use the operating system directly.

mod batches;
mod broker;
mod fault;
mod flags;
mod process;
mod produce;
mod report;
mod topic;
mod verify;
mod window;
mod wire;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use fault::Outcome;
use flags::{Course, Load, Target};

/// Measures a Kafka broker: CPU, memory, throughput, latency.
#[derive(Debug, Parser)]
#[command(name = "ottla-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Produce as much as goes, with prepared batches.
    Produce(Produce),
}

#[derive(Debug, Args)]
struct Produce {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    course: Course,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Produce(flags) => run_produce(&flags),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run_produce(flags: &Produce) -> Outcome<()> {
    flags.load.check()?;
    let broker = flags.target.open()?;
    let course = &flags.course;
    let produced = produce::produce(
        &broker.address,
        broker.pid,
        &flags.load,
        course.warm_up(),
        course.length(),
    )?;
    let (measured, verified) = (&produced.measured, Some(&produced.verified));
    let rows = report::rows(measured, verified);
    report::show(course.output, &rows, &report::document(measured, verified));
    Ok(())
}
