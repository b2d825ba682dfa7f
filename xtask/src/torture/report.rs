//! What the rounds brought, as a line each, a table and JSON.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use ottla_judge::{History, What, judge};
use serde_json::json;

use super::drivers::Counts;

/// Violations printed in words.
const TOLD_MAX: usize = 20;

/// The result.
pub(crate) struct Report {
    seed: u64,
    rounds: u64,
    /// What was done to the brokers, how often.
    pub(crate) disturbed: BTreeMap<&'static str, u64>,
    /// Further figures: what, and how much.
    pub(crate) figures: Vec<(&'static str, String)>,
    starts: Vec<Duration>,
    before: Counts,
    wrong: Vec<String>,
    /// Broken promises, each with how the first few were broken.
    broken: Vec<(String, Vec<String>)>,
    violations: usize,
    events: usize,
    sent: usize,
    acknowledged: usize,
    failed: usize,
    read: usize,
    read_back: usize,
    commits: usize,
    committed: usize,
    took: Duration,
}

impl Report {
    pub(crate) fn new(seed: u64) -> Report {
        Report {
            seed,
            rounds: 0,
            disturbed: BTreeMap::new(),
            figures: Vec::new(),
            starts: Vec::new(),
            before: Counts::default(),
            wrong: Vec::new(),
            broken: Vec::new(),
            violations: 0,
            events: 0,
            sent: 0,
            acknowledged: 0,
            failed: 0,
            read: 0,
            read_back: 0,
            commits: 0,
            committed: 0,
            took: Duration::ZERO,
        }
    }

    /// It answered so long after a start.
    pub(crate) fn served(&mut self, after: Duration) {
        self.starts.push(after);
    }

    /// Something that no history says.
    pub(crate) fn wrong(&mut self, text: String) {
        self.wrong.push(text);
    }

    /// Something was done to a broker.
    pub(crate) fn did(&mut self, what: &'static str) {
        *self.disturbed.entry(what).or_default() += 1;
    }

    /// Prints the round's line.
    pub(crate) fn round(&mut self, number: u64, of: u64, told: &str, counts: Counts) {
        self.rounds = number;
        let more = counts.acks - self.before.acks;
        println!(
            "round {number:>4}/{of}   sent {:>8}   acknowledged {:>8} (+{more})   failed {}   \
             read {:>8}   {told}",
            counts.sends, counts.acks, counts.fails, counts.reads,
        );
        self.before = counts;
    }

    /// Reads the histories and judges them.
    pub(crate) fn judge(&mut self, folder: &Path, took: Duration) -> Result<(), String> {
        self.took = took;
        let mut history = History::default();
        let listed = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
        for path in listed.flatten().map(|entry| entry.path()) {
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            let file = std::fs::File::open(&path).map_err(|error| error.to_string())?;
            for (number, line) in BufReader::new(file).lines().enumerate() {
                let line = line.map_err(|error| error.to_string())?;
                let at = || format!("{}:{}", path.display(), number + 1);
                history.push_line(&line).map_err(|error| format!("{}: {error}", at()))?;
            }
        }
        self.events = history.len();
        self.sent = history.count(|what| matches!(what, What::Send { .. }));
        self.acknowledged = history.count(|what| matches!(what, What::Ack { .. }));
        self.failed = history.count(|what| matches!(what, What::Fail { .. }));
        self.read = history.count(|what| matches!(what, What::Read { .. }));
        self.read_back = history.count(|what| matches!(what, What::Final { .. }));
        self.commits = history.count(|what| matches!(what, What::Commit { .. }));
        self.committed = history.count(|what| matches!(what, What::Committed { .. }));
        let verdict = judge(&mut history);
        self.violations = verdict.count + self.wrong.len();
        for promise in verdict.broken() {
            let texts = verdict.violations.iter().filter(|found| found.promise == promise);
            let texts = texts.take(TOLD_MAX).map(|found| found.text.clone()).collect();
            self.broken.push((promise.to_string(), texts));
        }
        if !self.wrong.is_empty() {
            self.broken.push(("progress".to_string(), self.wrong.clone()));
        }
        Ok(())
    }

    /// Without fault; or, where bytes were destroyed, with a loss that was noticed.
    pub(crate) fn is_as_it_should_be(&self, control: bool) -> bool {
        let lost = self.broken.iter().any(|(promise, _)| promise == "lost");
        if control { lost } else { self.violations == 0 && self.acknowledged > 0 }
    }

    pub(crate) fn print(&self, as_json: bool) {
        let mut starts: Vec<u128> = self.starts.iter().map(Duration::as_millis).collect();
        starts.sort_unstable();
        let middle = starts.get(starts.len() / 2).copied().unwrap_or(0);
        let longest = starts.last().copied().unwrap_or(0);
        if as_json {
            let broken: Vec<_> = self
                .broken
                .iter()
                .map(|(promise, texts)| json!({"promise": promise, "first": texts}))
                .collect();
            let result = json!({
                "seed": self.seed, "rounds": self.rounds,
                "disturbed": self.disturbed,
                "start_ms": {"median": middle, "longest": longest},
                "sent": self.sent, "acknowledged": self.acknowledged, "failed": self.failed,
                "read": self.read, "read_back": self.read_back, "commits": self.commits,
                "committed_asked": self.committed, "events": self.events,
                "figures": self.figures, "seconds": self.took.as_secs(),
                "violations": self.violations, "broken": broken,
            });
            println!("{result}");
            return;
        }
        println!("\n{:<34} {:>12}", "seed", self.seed);
        println!("{:<34} {:>12}", "rounds", self.rounds);
        for (what, times) in &self.disturbed {
            println!("{what:<34} {times:>12}");
        }
        if !starts.is_empty() {
            println!(
                "{:<34} {middle:>9} ms   longest {longest} ms",
                "from start to serving, median"
            );
        }
        println!("{:<34} {:>12}", "records sent", self.sent);
        println!(
            "{:<34} {:>12}   outcome unknown {}",
            "acknowledged", self.acknowledged, self.failed
        );
        println!("{:<34} {:>12}", "read by the groups", self.read);
        println!("{:<34} {:>12}", "read back in the end", self.read_back);
        println!("{:<34} {:>12}   asked for {}", "offsets committed", self.commits, self.committed);
        for (what, figure) in &self.figures {
            println!("{what:<34} {figure:>12}");
        }
        println!("{:<34} {:>10} s", "took", self.took.as_secs());
        println!("{:<34} {:>12}", "promises broken, times", self.violations);
        for (promise, texts) in &self.broken {
            println!("  {promise}");
            texts.iter().for_each(|text| println!("    {text}"));
        }
    }
}
