//! A crate imports only crates of lower floors, and `pure/` never imports `shell/`.

use crate::source;

/// Folder, crate, floor: DESIGN's table.
const FLOORS: [(&str, &str, u8); 18] = [
    ("pure", "ottla-protocol", 0),
    ("pure", "ottla-config", 0),
    ("pure", "ottla-judge", 0),
    ("pure", "ottla-plant", 0),
    ("pure", "ottla-raft", 1),
    ("pure", "ottla-metadata", 1),
    ("pure", "ottla-replica", 2),
    ("pure", "ottla-coordinator", 2),
    ("shell", "ottla-env", 0),
    ("shell", "ottla-log", 1),
    ("shell", "ottla-client", 1),
    ("shell", "ottla-broker", 3),
    ("shell", "ottla", 4),
    ("shell", "ottla-sim", 4),
    ("bench", "ottla-bench", 5),
    ("bench", "hot-paths", 5),
    ("conformance", "differential", 5),
    ("xtask", "xtask", 9),
];

pub(super) fn check() -> Result<Vec<String>, String> {
    let mut faults = Vec::new();
    for manifest in source::files(&["Cargo.toml"])? {
        let Some(folder) = manifest.path.strip_suffix("/Cargo.toml") else { continue };
        if folder.starts_with("fuzz") {
            continue;
        }
        let name = folder.rsplit('/').next().unwrap_or(folder);
        let Some(&(wing, _, floor)) = FLOORS.iter().find(|row| row.1 == name) else {
            faults.push(format!(
                "{}: no floor for {name} in xtask/src/tidy/floors.rs",
                manifest.path
            ));
            continue;
        };
        for import in imports(&manifest.text) {
            let Some(&(other_wing, _, below)) = FLOORS.iter().find(|row| row.1 == import) else {
                continue;
            };
            if below >= floor {
                faults.push(format!("{name} (floor {floor}) imports {import} (floor {below})"));
            }
            if wing == "pure" && other_wing == "shell" {
                faults.push(format!("{name} is pure and imports {import} of the shell"));
            }
        }
    }
    Ok(faults)
}

/// The workspace crates named under `[dependencies]`; what only tests use is free.
fn imports(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut within = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            within = line.trim() == "[dependencies]";
        } else if within && line.starts_with("ottla") {
            names.push(line.split(['.', ' ', '=']).next().unwrap_or("").to_string());
        }
    }
    names
}
