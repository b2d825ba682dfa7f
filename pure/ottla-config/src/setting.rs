//! One value somebody wrote, and where. Says nothing about whether it is a good one.

use std::fmt;

/// Where a setting was written, the strongest last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    File { path: String, line: usize },
    Environment { variable: String },
    Flag { flag: String },
}

impl Origin {
    /// Flags win over the environment, the environment over the file.
    pub fn rank(&self) -> u8 {
        match self {
            Origin::File { .. } => 0,
            Origin::Environment { .. } => 1,
            Origin::Flag { .. } => 2,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{path}:{line}"),
            Origin::Environment { variable } => write!(f, "environment variable {variable}"),
            Origin::Flag { flag } => write!(f, "flag {flag}"),
        }
    }
}

/// A key, a value and where they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub key: String,
    pub value: String,
    pub origin: Origin,
}

impl Setting {
    /// As `--set key=value` says it.
    pub fn flag(key: impl Into<String>, value: impl Into<String>) -> Self {
        let key = key.into();
        let origin = Origin::Flag { flag: format!("--set {key}") };
        Self { key, value: value.into(), origin }
    }
}
