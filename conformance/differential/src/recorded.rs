//! What Kafka answered, kept in the repository: one file a family, one line for all scripts that got the same.

use std::collections::BTreeMap;
use std::path::Path;

use ottla_protocol::json::Value;
use serde::{Deserialize, Serialize};

/// Outcomes by the script's name.
pub(crate) type Recorded = BTreeMap<String, Vec<Value>>;

#[derive(Serialize, Deserialize)]
struct Line {
    scripts: Vec<String>,
    outcomes: Vec<Value>,
}

pub(crate) fn load(folder: &Path) -> Result<Recorded, String> {
    let mut recorded = Recorded::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(recorded) };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|end| end != "jsonl") {
            continue;
        }
        let at = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| at(&error))?;
        for line in text.lines() {
            let line: Line = serde_json::from_str(line).map_err(|error| at(&error))?;
            for script in line.scripts {
                recorded.insert(script, line.outcomes.clone());
            }
        }
    }
    Ok(recorded)
}

/// Writes each of these families anew.
pub(crate) fn save(folder: &Path, recorded: &Recorded, families: &[&str]) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    for family in families {
        let mut lines: Vec<Line> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (script, outcomes) in recorded {
            if script.split('/').next() != Some(family) {
                continue;
            }
            let key = serde_json::to_string(outcomes).map_err(|error| error.to_string())?;
            match known.get(&key) {
                Some(at) => lines[*at].scripts.push(script.clone()),
                None => {
                    known.insert(key, lines.len());
                    lines.push(Line { scripts: vec![script.clone()], outcomes: outcomes.clone() });
                }
            }
        }
        let mut text = String::new();
        for line in &lines {
            text.push_str(&serde_json::to_string(line).map_err(|error| error.to_string())?);
            text.push('\n');
        }
        let path = folder.join(format!("{family}.jsonl"));
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
