//! What the judge says: which promises were broken, and where.

use std::fmt;

/// Violations of one promise that are told in words; the rest is counted.
const TOLD_MAX: usize = 50;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The checker's name.
    pub promise: &'static str,
    /// What is wrong, with offsets.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.text)
    }
}

/// What the judge found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The first of each promise.
    pub violations: Vec<Violation>,
    /// How many there are in all.
    pub count: usize,
}

impl Verdict {
    /// Whether every promise was kept.
    pub fn is_good(&self) -> bool {
        self.count == 0
    }

    /// The promises that were broken, each once.
    pub fn broken(&self) -> Vec<&'static str> {
        let mut promises: Vec<_> = self.violations.iter().map(|v| v.promise).collect();
        promises.dedup();
        promises
    }
}

/// Collects one promise's violations.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) texts: Vec<String>,
    pub(crate) count: usize,
}

impl Found {
    pub(crate) fn add(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.texts.len() < TOLD_MAX {
            self.texts.push(text());
        }
    }
}
