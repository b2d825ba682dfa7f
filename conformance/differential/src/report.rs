//! What is told in the end: a line a difference, a table of families, or one JSON object.

use std::collections::BTreeMap;

use ottla_protocol::json::Value;
use serde::Serialize;

use crate::allowed::{Allowed, Difference};
use crate::compare::compare;
use crate::options::Options;

/// One script's end.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) script: String,
    /// What could not be played or is not recorded.
    failure: Option<String>,
    differences: Vec<Difference>,
    /// Differences that have a reason, with it.
    allowed: Vec<(Difference, String)>,
    #[serde(skip)]
    pub(crate) kafka: Option<Vec<Value>>,
    #[serde(skip)]
    ottla: Option<Vec<Value>>,
}

pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    /// Rules of `allowed.toml` that nothing needed.
    pub(crate) stale: Vec<String>,
    pub(crate) seconds: f64,
}

impl Row {
    pub(crate) fn judge(
        script: &str,
        kafka: Result<Vec<Value>, String>,
        ottla: Result<Vec<Value>, String>,
        allowed: &Allowed,
    ) -> Row {
        let mut row = Row {
            script: script.to_owned(),
            failure: None,
            differences: Vec::new(),
            allowed: Vec::new(),
            kafka: None,
            ottla: None,
        };
        let failed = |who: &str, side: &Result<Vec<Value>, String>| {
            side.as_ref().err().map(|error| format!("{who}: {error}"))
        };
        row.failure = match (failed("kafka", &kafka), failed("ottla", &ottla)) {
            (Some(kafka), Some(ottla)) => Some(format!("{kafka}; {ottla}")),
            (kafka, ottla) => kafka.or(ottla),
        };
        let normal = |side: Result<Vec<Value>, String>| {
            let mut outcomes = side.ok()?;
            allowed.normalise(&mut outcomes);
            Some(outcomes)
        };
        row.kafka = normal(kafka);
        row.ottla = normal(ottla);
        if let (Some(kafka), Some(ottla)) = (&row.kafka, &row.ottla) {
            for difference in compare(kafka, ottla) {
                match allowed.reason(script, &difference) {
                    Some(reason) => row.allowed.push((difference, reason.to_owned())),
                    None => row.differences.push(difference),
                }
            }
        }
        row
    }

    fn is_good(&self) -> bool {
        self.failure.is_none() && self.differences.is_empty()
    }
}

/// How one family did.
#[derive(Default, Serialize)]
struct Tally {
    run: usize,
    equal: usize,
    allowed: usize,
    different: usize,
    failed: usize,
}

impl Tally {
    fn add(&mut self, row: &Row) {
        self.run += 1;
        match row {
            row if row.failure.is_some() => self.failed += 1,
            row if !row.differences.is_empty() => self.different += 1,
            row if !row.allowed.is_empty() => self.allowed += 1,
            _ => self.equal += 1,
        }
    }
}

impl Report {
    pub(crate) fn is_good(&self) -> bool {
        self.stale.is_empty() && self.rows.iter().all(Row::is_good)
    }

    pub(crate) fn print(&self, options: &Options) {
        if options.json {
            return self.print_json();
        }
        for row in &self.rows {
            if options.show {
                self.show(row);
            }
        }
        self.print_faults();
        for rule in &self.stale {
            println!("allowed.toml: not needed any more: {rule}");
        }
        let families = self.families();
        println!(
            "{:<20} {:>6} {:>6} {:>8} {:>9} {:>7}",
            "family", "run", "equal", "allowed", "different", "failed"
        );
        for (family, t) in families.iter().chain([(&"all".to_owned(), &self.total())]) {
            println!(
                "{family:<20} {:>6} {:>6} {:>8} {:>9} {:>7}",
                t.run, t.equal, t.allowed, t.different, t.failed
            );
        }
        println!("in {:.1} s", self.seconds);
    }

    /// One line for what several versions of a script have in common.
    fn print_faults(&self) {
        let mut faults: Vec<(String, Vec<&str>)> = Vec::new();
        for row in &self.rows {
            let (name, version) = row.script.split_once("@v").unwrap_or((&row.script, ""));
            let failure = row.failure.iter().map(|failure| format!("{name}: {failure}"));
            let told = row.differences.iter().map(|difference| {
                let Difference { step, path, kafka, ottla } = difference;
                format!("{name} step {step} {path}: kafka {kafka} ottla {ottla}")
            });
            for line in failure.chain(told) {
                match faults.iter_mut().find(|fault| fault.0 == line) {
                    Some(fault) => fault.1.push(version),
                    None => faults.push((line, vec![version])),
                }
            }
        }
        for (line, versions) in faults {
            match versions[..] {
                [""] => println!("{line}"),
                _ => println!("[v{}] {line}", versions.join(",")),
            }
        }
    }

    fn show(&self, row: &Row) {
        for (who, side) in [("kafka", &row.kafka), ("ottla", &row.ottla)] {
            for (step, outcome) in side.iter().flatten().enumerate() {
                println!("{} step {step} {who}: {outcome}", row.script);
            }
        }
    }

    fn print_json(&self) {
        let told: Vec<&Row> =
            self.rows.iter().filter(|row| !row.is_good() || !row.allowed.is_empty()).collect();
        let scripts: Vec<&str> = self.rows.iter().map(|row| row.script.as_str()).collect();
        let report = serde_json::json!({
            "total": self.total(), "families": self.families(), "not_equal": told, "stale": self.stale,
            "scripts": scripts, "seconds": self.seconds,
        });
        println!("{report}");
    }

    fn families(&self) -> BTreeMap<String, Tally> {
        let mut families: BTreeMap<String, Tally> = BTreeMap::new();
        for row in &self.rows {
            let family = row.script.split('/').next().unwrap_or(&row.script);
            families.entry(family.to_owned()).or_default().add(row);
        }
        families
    }

    fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.rows.iter().for_each(|row| total.add(row));
        total
    }
}
