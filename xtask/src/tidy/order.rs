//! Inside a crate a module uses `crate::x` only if `x` stands above it in `lib.rs`'s list of modules:
//! the list is the reading order and the proof that there is no cycle.

use std::collections::BTreeMap;

use crate::source::Source;

pub(super) fn check(rust: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for lib in rust.iter().filter(|file| file.path.ends_with("/src/lib.rs")) {
        let Some(folder) = lib.path.strip_suffix("lib.rs") else { continue };
        let order: BTreeMap<String, usize> = modules(&lib.text).into_iter().zip(0..).collect();
        for file in rust.iter().filter(|file| !file.is_test() && !file.is_generated()) {
            let Some(inside) = file.path.strip_prefix(folder) else { continue };
            let own = inside.split(['/', '.']).next().unwrap_or("");
            let Some(place) = order.get(own) else { continue };
            for used in uses(&file.text) {
                if order.get(&used).is_some_and(|other| other > place) {
                    faults.push(format!(
                        "{}: {own} uses crate::{used}, which lib.rs lists after it",
                        file.path
                    ));
                }
            }
        }
    }
    faults.sort();
    faults.dedup();
    faults
}

fn modules(lib: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut test_only = false;
    for line in lib.lines() {
        let line = line.trim();
        let declared = line.rsplit("mod ").next().and_then(|rest| rest.strip_suffix(';'));
        let is_module = ["mod ", "pub mod ", "pub(crate) mod "].iter().any(|p| line.starts_with(p));
        if let (true, false, Some(name)) = (is_module, test_only, declared) {
            names.push(name.to_string());
        }
        test_only = line == "#[cfg(test)]";
    }
    names
}

fn uses(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut names = Vec::new();
    for line in code {
        for rest in line.split("crate::").skip(1) {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            names.push(rest[..end].to_string());
            if let Some(group) = rest.strip_prefix('{') {
                names.extend(group.split([',', '}', ':', ' ']).map(str::to_string));
            }
        }
    }
    names
}
