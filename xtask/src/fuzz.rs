//! `cargo xtask fuzz`: runs the targets of `fuzz/` under libFuzzer, each for a number of executions,
//! and prints a table. What fails leaves its input behind.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::source;

const USAGE: &str = "usage: cargo xtask fuzz [OPTIONS]

  --execs N      executions of each target (100,000)
  --target T     only this one; may be given many times
  --max-len N    the longest input (4096)
  --seed N       libFuzzer's (1)
  --asan         with the address sanitizer, which is slower
  --short        10,000 executions
  --stable       without libFuzzer, on a stable compiler: the seeds and mutations of them
  --list         the targets
Needs a nightly compiler and a C++ compiler. `cargo test --no-default-features` in fuzz/ needs neither.";

/// What libFuzzer needs to see where an execution goes, as cargo-fuzz sets it.
const COVERAGE: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "--cfg=fuzzing",
];
/// Named, so that build scripts are not instrumented.
const MACHINE: &str = "x86_64-unknown-linux-gnu";

struct Options {
    executions: u64,
    targets: Vec<String>,
    longest: u64,
    seed: u64,
    asan: bool,
    stable: bool,
}

/// How one target did.
struct Row {
    target: String,
    executions: u64,
    took: Duration,
    /// Counters of the program that were reached.
    coverage: u64,
    /// Bytes held beyond four times the input, at most.
    held: u64,
    fault: Option<String>,
}

/// Builds the targets and runs them one after the other.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    if args.iter().any(|word| word == "--list") {
        targets()?.iter().for_each(|target| println!("{target}"));
        return Ok(());
    }
    let options = parse(args)?;
    if options.stable {
        return stable();
    }
    let folder = build(&options)?;
    let mut rows = Vec::new();
    for target in &options.targets {
        rows.push(fuzz(target, &folder, &options)?);
    }
    println!(
        "\n{:<16} {:>12} {:>9} {:>10} {:>10} {:>14}  result",
        "target", "executions", "seconds", "a second", "coverage", "bytes held"
    );
    for row in &rows {
        let seconds = row.took.as_secs_f64();
        println!(
            "{:<16} {:>12} {:>9.0} {:>10.0} {:>10} {:>14}  {}",
            row.target,
            row.executions,
            seconds,
            row.executions as f64 / seconds.max(0.001),
            row.coverage,
            row.held,
            row.fault.as_deref().unwrap_or("good")
        );
    }
    match rows.iter().filter(|row| row.fault.is_some()).count() {
        0 => Ok(()),
        count => Err(format!("fuzz: {count} targets failed; see fuzz/artifacts")),
    }
}

fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options {
        executions: 100_000,
        targets: Vec::new(),
        longest: 4096,
        seed: 1,
        asan: false,
        stable: false,
    };
    let all = targets()?;
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value\n{USAGE}"));
        let number = |text: &String| text.replace(['_', ','], "").parse().map_err(|_| USAGE);
        match word.as_str() {
            "--execs" => options.executions = number(value()?)?,
            "--max-len" => options.longest = number(value()?)?,
            "--seed" => options.seed = number(value()?)?,
            "--asan" => options.asan = true,
            "--short" => options.executions = 10_000,
            "--stable" => options.stable = true,
            "--target" => {
                let name = value()?;
                if !all.contains(name) {
                    return Err(format!("no target {name}; there are {}", all.join(", ")));
                }
                options.targets.push(name.clone());
            }
            _ => return Err(USAGE.to_string()),
        }
    }
    if options.targets.is_empty() {
        options.targets = all;
    }
    Ok(options)
}

/// The targets without libFuzzer.
fn stable() -> Result<(), String> {
    let status = Command::new("cargo")
        .args(["test", "--release", "--locked", "--no-default-features"])
        .current_dir(fuzz_dir())
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("fuzz: a target failed".to_string()) }
}

fn fuzz_dir() -> PathBuf {
    source::root().join("fuzz")
}

/// The names of the files in `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>, String> {
    let listed = std::fs::read_dir(fuzz_dir().join("fuzz_targets")).map_err(|e| e.to_string())?;
    let mut names: Vec<String> = listed
        .flatten()
        .filter_map(|entry| entry.path().file_stem()?.to_str().map(str::to_string))
        .collect();
    names.sort();
    Ok(names)
}

/// Builds the targets with coverage; answers with the folder they are in.
fn build(options: &Options) -> Result<PathBuf, String> {
    let mut flags = COVERAGE.join(" ");
    let mut into = fuzz_dir().join("target");
    if options.asan {
        flags.push_str(" -Zsanitizer=address");
        into = into.join("asan");
    }
    let mut cargo = Command::new("cargo");
    cargo.args(["+nightly", "build", "--release", "--locked", "--target", MACHINE, "--target-dir"]);
    cargo.arg(&into).current_dir(fuzz_dir()).env("RUSTFLAGS", flags);
    // Set by the cargo that started this, and of another compiler.
    cargo.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    for target in &options.targets {
        cargo.args(["--bin", target]);
    }
    let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err(format!("the targets do not build: {status}\n{USAGE}"));
    }
    Ok(into.join(MACHINE).join("release"))
}

fn fuzz(target: &str, folder: &Path, options: &Options) -> Result<Row, String> {
    let place = |name: &str| {
        let path = fuzz_dir().join(name).join(target);
        std::fs::create_dir_all(&path).map_err(|error| error.to_string()).map(|()| path)
    };
    let (corpus, artifacts) = (place("corpus")?, place("artifacts")?);
    let mut command = Command::new(folder.join(target));
    command
        .arg(format!("-runs={}", options.executions))
        .arg(format!("-max_len={}", options.longest))
        .arg(format!("-seed={}", options.seed))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-print_final_stats=1", "-rss_limit_mb=2048", "-timeout=30", "-verbosity=1"])
        .arg(&corpus)
        .env("FUZZ_SEEDS", &corpus)
        .stderr(Stdio::piped())
        .stdout(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("{target}: {error}"))?;
    let out = child.stderr.take().ok_or("no output")?;
    let mut row = Row {
        target: target.to_string(),
        executions: 0,
        took: Duration::ZERO,
        coverage: 0,
        held: 0,
        fault: None,
    };
    let mut told = Instant::now();
    for line in BufReader::new(out).lines().map_while(Result::ok) {
        row.note(&line);
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            println!("{target}: {} executions, coverage {}", row.executions, row.coverage);
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    row.took = start.elapsed();
    row.end(status, options.executions);
    println!("{target}: {} executions in {:.0} s", row.executions, row.took.as_secs_f64());
    Ok(row)
}

impl Row {
    /// Takes what one line of libFuzzer's says.
    fn note(&mut self, line: &str) {
        let after = |word: &str| -> Option<u64> {
            let rest = line.split_once(word)?.1.trim_start();
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        if let Some(count) =
            line.strip_prefix('#').and_then(|rest| rest.split_ascii_whitespace().next())
        {
            self.executions = count.parse().unwrap_or(self.executions);
        }
        self.executions = after("stat::number_of_executed_units:").unwrap_or(self.executions);
        self.coverage = after(" cov: ").unwrap_or(self.coverage);
        self.held = after("HELD").unwrap_or(self.held);
        let bad = ["ERROR: libFuzzer", "panicked at", "ALLOCATION:", "ERROR: AddressSanitizer"];
        if self.fault.is_none() && bad.iter().any(|word| line.contains(word)) {
            self.fault = Some(line.trim().to_string());
        }
    }

    fn end(&mut self, status: ExitStatus, wanted: u64) {
        if self.fault.is_none() && !status.success() {
            self.fault = Some(format!("it ended with {status}"));
        }
        if self.fault.is_none() && self.executions < wanted {
            self.fault = Some(format!("{} executions of {wanted}", self.executions));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Row;

    #[test]
    fn what_libfuzzer_says_becomes_a_row() {
        let mut row = Row {
            target: "t".to_string(),
            executions: 0,
            took: Duration::ZERO,
            coverage: 0,
            held: 0,
            fault: None,
        };
        row.note("#65536\tpulse  cov: 312 ft: 801 corp: 90/3Kb exec/s: 32768 rss: 40Mb");
        assert_eq!((row.executions, row.coverage), (65_536, 312));
        row.note("HELD 8192 bytes beyond four times an input of 40");
        row.note("stat::number_of_executed_units: 100000");
        assert_eq!((row.executions, row.held), (100_000, 8_192));
        assert_eq!(row.fault, None);
        row.note("ALLOCATION: 99 bytes asked for, 100 held where 50 are allowed");
        assert!(row.fault.is_some());
    }
}
