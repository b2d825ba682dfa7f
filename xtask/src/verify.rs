//! `verify` is what CI runs and never writes to the tree; `fix` does.

use std::process::Command;
use std::time::Instant;

use crate::{codegen, source, tidy};

/// fmt, clippy, deny, tidy, tests; `quick` leaves out the tests.
pub(crate) fn verify(quick: bool) -> Result<(), String> {
    cargo(&["fmt", "--all", "--check"])?;
    tidy::run()?;
    unplanted()?;
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    if Command::new("cargo").args(["deny", "--version"]).output().is_ok_and(|o| o.status.success())
    {
        cargo(&["deny", "check", "bans", "licenses", "sources"])?;
    } else {
        println!("deny: cargo-deny is not installed, left out");
    }
    if quick { Ok(()) } else { cargo(&["test", "--workspace", "--locked"]) }
}

/// Formats, applies what clippy suggests, regenerates.
pub(crate) fn fix() -> Result<(), String> {
    codegen::run(false)?;
    cargo(&["clippy", "--workspace", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"])?;
    cargo(&["fmt", "--all"])
}

/// The bugs of `ottla-plant` are in no default build of the binary.
fn unplanted() -> Result<(), String> {
    let args =
        ["tree", "--locked", "-p", "ottla", "-e", "normal", "--prefix", "none", "-f", "{p}|{f}"];
    let tree = Command::new("cargo").args(args).current_dir(source::root()).output();
    let tree = tree.map_err(|error| format!("cargo tree: {error}"))?;
    let text = String::from_utf8_lossy(&tree.stdout);
    let plants: Vec<&str> = text.lines().filter(|line| line.starts_with("ottla-plant ")).collect();
    if plants.is_empty() {
        return Err("cargo tree does not know ottla-plant in the binary".to_owned());
    }
    if plants.iter().any(|line| line.contains("|planted")) {
        return Err("the binary has planted bugs".to_owned());
    }
    Ok(())
}

fn cargo(args: &[&str]) -> Result<(), String> {
    println!("$ cargo {}", args.join(" "));
    let start = Instant::now();
    let status = Command::new("cargo").args(args).current_dir(source::root()).status();
    match status {
        Ok(status) if status.success() => {
            println!("  {:.1} s", start.elapsed().as_secs_f64());
            Ok(())
        }
        Ok(status) => Err(format!("cargo {} failed: {status}", args.join(" "))),
        Err(error) => Err(format!("cargo {}: {error}", args.join(" "))),
    }
}
