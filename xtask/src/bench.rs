//! Builds the broker and the load generator, then hands over to `bench/measure`.

use std::process::Command;

use crate::source;

/// Passes `args` on to `bench/measure goals`.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let build = ["build", "--release", "--locked", "-p", "ottla", "-p", "ottla-bench"];
    execute(Command::new("cargo").args(build))?;
    execute(Command::new("python3").args(["bench/measure", "goals"]).args(args))
}

fn execute(command: &mut Command) -> Result<(), String> {
    let status = command
        .current_dir(source::root())
        .status()
        .map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))?;
    if status.success() { Ok(()) } else { Err(format!("bench: {status}")) }
}
