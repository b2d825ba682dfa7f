//! The repository's files, as git lists them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// One text file of the repository.
pub(crate) struct Source {
    /// The path below the root, with forward slashes.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

impl Source {
    /// Whether a program wrote it.
    pub(crate) fn is_generated(&self) -> bool {
        self.path.contains("/generated/")
    }

    /// Whether it is compiled for tests only.
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }
}

/// The files git tracks, and the new ones it does not ignore, with one of these endings.
pub(crate) fn files(endings: &[&str]) -> Result<Vec<Source>, String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("git ls-files: {error}"))?;
    let names = String::from_utf8_lossy(&listed.stdout);
    let mut found = Vec::new();
    for path in names.lines().filter(|name| endings.iter().any(|end| name.ends_with(end))) {
        // A file that was deleted but not yet committed is still listed.
        if let Ok(text) = std::fs::read_to_string(root().join(path)) {
            found.push(Source { path: path.to_string(), text });
        }
    }
    Ok(found)
}
