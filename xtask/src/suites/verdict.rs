//! What the results of a suite mean beside its list of allowed failures, as a table and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::allow::Allowed;
use super::script::Outcome;

/// One suite, judged. `run` = `passed` + allowed failures + `unexpected`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Verdict {
    pub(super) name: String,
    pub(super) run: usize,
    pub(super) passed: usize,
    pub(super) skipped: usize,
    /// Allowed failures by group.
    pub(super) allowed: BTreeMap<String, usize>,
    /// Failures without a line, each with what the suite said.
    pub(super) unexpected: Vec<String>,
    /// Lines whose test passes, or is not there.
    pub(super) stale: Vec<String>,
}

impl Verdict {
    /// How many things are wrong.
    pub(super) fn faults(&self) -> usize {
        self.unexpected.len() + self.stale.len()
    }
}

/// Compares results with what may fail. A line whose test is not there is stale only where the
/// `whole` suite ran.
pub(super) fn judge(
    name: &str,
    results: &[(String, Outcome)],
    allowed: &[Allowed],
    whole: bool,
) -> Verdict {
    let mut verdict = Verdict { name: name.to_string(), ..Verdict::default() };
    for (test, outcome) in results {
        let line = allowed.iter().find(|allowed| allowed.name == *test);
        verdict.run += usize::from(!matches!(outcome, Outcome::Skipped(_)));
        match (outcome, line) {
            (Outcome::Skipped(_), _) => verdict.skipped += 1,
            (Outcome::Passed, line) => {
                verdict.passed += 1;
                if let Some(line) = line.filter(|line| !line.is_unsteady()) {
                    verdict.stale.push(format!("{test} passes ({}: {})", line.group, line.reason));
                }
            }
            (Outcome::Failed(_), Some(line)) => {
                *verdict.allowed.entry(line.group.clone()).or_default() += 1;
            }
            (Outcome::Failed(why), None) => verdict.unexpected.push(format!("{test}: {why}")),
        }
    }
    if whole {
        let ran = |line: &&Allowed| results.iter().any(|(test, _)| *test == line.name);
        for line in allowed.iter().filter(|line| !ran(line)) {
            verdict.stale.push(format!("{} did not run", line.name));
        }
    }
    verdict
}

/// One row a suite, then every fault.
pub(super) fn table(verdicts: &[Verdict]) -> String {
    let mut text = format!(
        "\n{:<16} {:>5} {:>6} {:>7} {:>10} {:>5} {:>7}\n",
        "suite", "run", "passed", "allowed", "unexpected", "stale", "skipped"
    );
    for verdict in verdicts {
        let allowed: usize = verdict.allowed.values().sum();
        let _ = writeln!(
            text,
            "{:<16} {:>5} {:>6} {:>7} {:>10} {:>5} {:>7}",
            verdict.name,
            verdict.run,
            verdict.passed,
            allowed,
            verdict.unexpected.len(),
            verdict.stale.len(),
            verdict.skipped
        );
        for (group, count) in &verdict.allowed {
            let _ = writeln!(text, "{:<30} {count:>7}  {group}", "");
        }
    }
    for verdict in verdicts {
        for test in &verdict.unexpected {
            let _ = writeln!(text, "unexpected failure: {} {test}", verdict.name);
        }
        for line in &verdict.stale {
            let _ = writeln!(text, "stale line: {}.allow: {line}", verdict.name);
        }
    }
    text.trim_end().to_string()
}

/// The same as an array of objects.
pub(super) fn json(verdicts: &[Verdict]) -> serde_json::Value {
    let suite = |verdict: &Verdict| {
        serde_json::json!({
            "suite": verdict.name,
            "run": verdict.run,
            "passed": verdict.passed,
            "skipped": verdict.skipped,
            "allowed": verdict.allowed,
            "unexpected": verdict.unexpected,
            "stale": verdict.stale,
        })
    };
    verdicts.iter().map(suite).collect()
}

#[cfg(test)]
mod tests {
    use super::super::allow;
    use super::*;

    #[test]
    fn an_unexpected_failure_and_a_stale_line_are_faults() {
        let allowed = allow::parse(
            "b not served yet: x\nc not served yet: y\nd needs 3 brokers\ne unsteady: z\ngone why",
        )
        .unwrap();
        let failed = |why: &str| Outcome::Failed(why.to_string());
        let results = [
            ("a", failed("broken")),
            ("b", failed("")),
            ("c", Outcome::Passed),
            ("d", Outcome::Skipped(String::new())),
            ("e", Outcome::Passed),
        ]
        .map(|(name, outcome)| (name.to_string(), outcome));
        let verdict = judge("s", &results, &allowed, true);
        let expected = Verdict {
            name: "s".to_string(),
            run: 4,
            passed: 2,
            skipped: 1,
            allowed: BTreeMap::from([("not served yet".to_string(), 1)]),
            unexpected: vec!["a: broken".to_string()],
            stale: vec!["c passes (not served yet: y)".to_string(), "gone did not run".to_string()],
        };
        assert_eq!(verdict, expected);
        assert_eq!(verdict.faults(), 3);
        let part = judge("s", &results, &allowed, false);
        assert_eq!(part.stale, ["c passes (not served yet: y)"]);
    }
}
