//! A suite's script: `NAME.sh prepare DIR` fetches and builds, `NAME.sh run DIR HOST:PORT [TEST...]` prints
//! `ok NAME`, `not ok NAME: WHY` or `skip NAME: WHY` a test. The time limit of a test is the script's.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Longest time a whole suite may take, in seconds; a test's own limit is far shorter.
const SUITE_SECONDS_MAX: &str = "5400";

/// How a test ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// A suite that can be run.
pub(super) struct Script {
    path: PathBuf,
    /// Where its sources are fetched to, and built.
    source: PathBuf,
    quiet: bool,
}

impl Script {
    /// The script `NAME.sh` of `folder`, with its sources in `source` or a folder in the user's cache.
    pub(super) fn new(folder: &Path, name: &str, source: Option<PathBuf>, quiet: bool) -> Script {
        let source = source.unwrap_or_else(|| {
            let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
            let cache =
                std::env::var_os("XDG_CACHE_HOME").map_or(home.join(".cache"), PathBuf::from);
            cache.join("ottla-suites").join(name)
        });
        Script { path: folder.join(format!("{name}.sh")), source, quiet }
    }

    /// Fetches and builds what is not there yet.
    pub(super) fn prepare(&self) -> Result<(), String> {
        let start = Instant::now();
        std::fs::create_dir_all(&self.source).map_err(|error| error.to_string())?;
        let output = self.command("prepare").output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} prepare: {}", self.path.display(), last_lines(&errors)));
        }
        self.say(&format!("# ready after {} s", start.elapsed().as_secs()));
        Ok(())
    }

    /// Every test it reported, in order; `chosen` empty means all.
    pub(super) fn run(
        &self,
        address: &str,
        chosen: &[String],
    ) -> Result<Vec<(String, Outcome)>, String> {
        let mut child = self
            .command("run")
            .arg(address)
            .args(chosen)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", self.path.display()))?;
        let mut results = Vec::new();
        let start = Instant::now();
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                self.say(&format!("[{:>4} s] {line}", start.elapsed().as_secs()));
                results.extend(parse(&line));
            }
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        if results.is_empty() || !status.success() {
            return Err(format!(
                "{} run: {status}, {} tests ran",
                self.path.display(),
                results.len()
            ));
        }
        Ok(results)
    }

    fn command(&self, word: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=10", SUITE_SECONDS_MAX, "bash"]);
        command.arg(&self.path).arg(word).arg(&self.source).stdin(Stdio::null());
        command
    }

    /// Progress goes to standard error where standard output is for a program.
    fn say(&self, line: &str) {
        if self.quiet {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }
}

/// One line of a script; `None` for what is not about a test.
fn parse(line: &str) -> Option<(String, Outcome)> {
    if let Some(name) = line.strip_prefix("ok ") {
        return Some((name.trim().to_string(), Outcome::Passed));
    }
    let (failed, rest) = match line.strip_prefix("not ok ") {
        Some(rest) => (true, rest),
        None => (false, line.strip_prefix("skip ")?),
    };
    let (name, why) = rest.split_once(": ").unwrap_or((rest, ""));
    let outcome = if failed { Outcome::Failed } else { Outcome::Skipped };
    Some((name.trim().to_string(), outcome(why.to_string())))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_test_and_how_it_ended() {
        assert_eq!(parse("ok 0001_multiobj"), Some(("0001_multiobj".into(), Outcome::Passed)));
        let failed = Outcome::Failed("a: b".into());
        assert_eq!(parse("not ok t::x[1]: a: b"), Some(("t::x[1]".into(), failed)));
        assert_eq!(parse("skip x"), Some(("x".into(), Outcome::Skipped(String::new()))));
        assert_eq!(parse("# ok x"), None);
    }
}
