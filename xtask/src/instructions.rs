//! `cargo xtask instructions`: what the hot paths cost, in instructions counted by callgrind, held
//! against what is written down. A machine under load counts the same; a changed compiler may not.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::source;

const USAGE: &str = "usage: cargo xtask instructions [--write] [--if-possible] [PATH...]

  --write         writes the figures down in bench/hot-paths/instructions.tsv
  --if-possible   does nothing where there is no valgrind
Needs valgrind. A path may cost a tenth more than is written down before this fails.";

/// Where the figures stand.
const FIGURES: &str = "bench/hot-paths/instructions.tsv";
/// A path is run so often, and twice as often; the difference is what it costs.
const COUNT: u64 = 100;
/// Compilers, allocators and hash seeds may differ by so much.
const TOLERANCE_PERCENT: u64 = 10;

/// What one path costs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Figure {
    path: String,
    instructions: u64,
}

/// Builds, counts, compares or writes.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let write = args.iter().any(|word| word == "--write");
    let if_possible = args.iter().any(|word| word == "--if-possible");
    let known = ["--write", "--if-possible"];
    let is_path = |word: &&String| !known.contains(&word.as_str());
    let mut wanted: Vec<String> = args.iter().filter(is_path).cloned().collect();
    if Command::new("valgrind").arg("--version").output().is_err() {
        if if_possible {
            println!("instructions: there is no valgrind here, so they are not counted");
            return Ok(());
        }
        return Err(format!("valgrind is not there: apt-get install valgrind\n{USAGE}"));
    }
    let program = build()?;
    let all = output(Command::new(&program).arg("list"))?;
    let all: Vec<String> = all.lines().map(str::to_string).collect();
    if let Some(unknown) = wanted.iter().find(|path| !all.contains(path)) {
        return Err(format!("no path {unknown}; there are {}\n{USAGE}", all.join(", ")));
    }
    if wanted.is_empty() {
        wanted = all;
    }
    let mut found = Vec::new();
    for path in wanted {
        let (once, twice) = (count(&program, &path, COUNT)?, count(&program, &path, 2 * COUNT)?);
        found.push(Figure { path, instructions: twice.saturating_sub(once) / COUNT });
    }
    let file = source::root().join(FIGURES);
    if write {
        return std::fs::write(&file, table(&found)).map_err(|error| error.to_string());
    }
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{FIGURES}: {error}"))?;
    let (report, dearer) = compare(&found, &read(&text)?);
    println!("{report}");
    if dearer.is_empty() {
        return Ok(());
    }
    Err(format!(
        "instructions: {} cost more than is written down. If it must be: cargo xtask instructions --write",
        dearer.join(", ")
    ))
}

fn build() -> Result<PathBuf, String> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "-p", "hot-paths"])
        .current_dir(source::root())
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err("the hot paths do not build".to_string());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| source::root().join("target"), PathBuf::from);
    Ok(target.join("release/hot-paths"))
}

/// The instructions of a whole run.
fn count(program: &Path, path: &str, count: u64) -> Result<u64, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    command.args([path, &count.to_string()]);
    let done = command.output().map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() {
        return Err(format!("{path}: {}\n{said}", done.status));
    }
    collected(&said).ok_or_else(|| format!("{path}: callgrind says no number:\n{said}"))
}

/// The number in callgrind's last words: `==17== Collected : 123456`.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().rev().find_map(|line| line.split_once("Collected : "))?.1;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn output(command: &mut Command) -> Result<String, String> {
    let done = command.output().map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

fn table(figures: &[Figure]) -> String {
    let mut text =
        String::from("# instructions a request; written by `cargo xtask instructions --write`\n");
    for figure in figures {
        text.push_str(&format!("{}\t{}\n", figure.path, figure.instructions));
    }
    text
}

fn read(text: &str) -> Result<Vec<Figure>, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (path, number) =
                line.split_once('\t').ok_or_else(|| format!("no figure: {line}"))?;
            let instructions = number.parse().map_err(|_| format!("no number: {line}"))?;
            Ok(Figure { path: path.to_string(), instructions })
        })
        .collect()
}

/// The report, and the paths that cost too much or of which nothing is written down.
fn compare(found: &[Figure], written: &[Figure]) -> (String, Vec<String>) {
    let mut report = format!("{:<16} {:>12} {:>12} {:>9}", "path", "written", "found", "change");
    let mut dearer = Vec::new();
    for figure in found {
        let before = written.iter().find(|other| other.path == figure.path);
        let before = before.map_or(0, |other| other.instructions);
        let change = (figure.instructions as f64 / before.max(1) as f64 - 1.0) * 100.0;
        let Figure { path, instructions } = figure;
        report.push_str(&format!("\n{path:<16} {before:>12} {instructions:>12} {change:>+8.1}%"));
        if *instructions * 100 > before * (100 + TOLERANCE_PERCENT) {
            dearer.push(path.clone());
        }
    }
    (report, dearer)
}

#[cfg(test)]
mod tests {
    use super::{Figure, collected, compare, read, table};

    fn figure(path: &str, instructions: u64) -> Figure {
        Figure { path: path.to_string(), instructions }
    }

    #[test]
    fn what_costs_a_tenth_more_is_named() {
        let written = [figure("a", 1_000), figure("b", 1_000), figure("c", 1_000)];
        assert_eq!(read(&table(&written)).as_deref(), Ok(&written[..]));
        let found = [figure("a", 1_099), figure("b", 1_101), figure("c", 500), figure("new", 1)];
        assert_eq!(compare(&found, &written).1, ["b", "new"]);
    }

    #[test]
    fn callgrinds_number_is_found() {
        let said =
            "==9== Callgrind\n==9== \n==9== Events    : Ir\n==9== Collected : 1740123\n==9== \n";
        assert_eq!(collected(said), Some(1_740_123));
        assert_eq!(collected("valgrind: no such tool"), None);
    }
}
