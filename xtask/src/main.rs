//! Repository tasks, each a command of `cargo xtask`. `verify` never writes to the tree; `fix` does.

mod bench;
mod broker;
mod chaos;
mod cluster;
mod codegen;
mod conformance;
mod differential;
mod fuzz;
mod instructions;
mod oracle;
mod sim;
mod source;
mod suites;
mod tidy;
mod torture;
mod verify;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  tidy                    floors, module order, sizes, purity, paths named in docs, fresh generated files
  codegen [--check]       writes (or checks) the generated protocol code
  oracle [--values N] [--seed N] [--write-vectors]
                          our messages against Apache Kafka's own serializers
  verify [--quick]        what CI runs, read-only: fmt, clippy, deny, tidy, tests
  fix                     formats, applies clippy's suggestions, regenerates
  conformance [CLIENT...] [--against HOST:PORT] [--binary PATH]
                          real clients against the real binary (or another broker)
  bench [--quick] [--cells A,B] [--rounds N] [--kafka DIR]
                          Ottla and Apache Kafka measured side by side; see docs/benchmarks
  torture [--rounds N] [--seed X] [--control] [--help]
                          kills the real binary under load; nothing acknowledged may be lost
  chaos [--rounds N] [--seed X] [--measure leader|controller] [--control] [--help]
                          kills, stops and cuts off nodes of a real cluster under load; judged, replicas compared
  mixed [--layout A,B,C] [--kafka VERSION] [--help]
                          the same for clusters of Ottla and Apache Kafka together
  sim [--seconds S] [--only NAME] [--start X] [--short]
                          campaigns of the simulator, with a table at the end
  fuzz [--execs N] [--target T] [--asan]
                          the fuzz targets, each for a number of executions, within their bounds
  instructions [--write]  the hot paths under callgrind, against what is written down
  suites [NAME...] [--only WORD] [--short] [--against HOST:PORT] [--binary PATH] [--source DIR] [-o json]
                          test suites that others wrote, against conformance/suites/NAME.allow
  differential [NAME...] [--nodes 3] [--kafka HOST:PORT] [--record] [--binary PATH] [-o json]
                          raw requests, each answer compared with Apache Kafka's (`--help` tells all)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let outcome = match args.first().map(String::as_str) {
        Some("bench") => bench::run(rest),
        Some("tidy") => tidy::run(),
        Some("codegen") => codegen::run(rest.iter().any(|a| a == "--check")),
        Some("oracle") => oracle::run(rest),
        Some("verify") => verify::verify(rest.iter().any(|a| a == "--quick")),
        Some("fix") => verify::fix(),
        Some("conformance") => conformance::run(rest),
        Some("fuzz") => fuzz::run(rest),
        Some("instructions") => instructions::run(rest),
        Some("chaos") => chaos::run(rest),
        Some("mixed") => chaos::run_mixed(rest),
        Some("sim") => sim::run(rest),
        Some("torture") => torture::run(rest),
        Some("suites") => suites::run(rest),
        Some("differential") => differential::run(rest),
        _ => Err(USAGE.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
