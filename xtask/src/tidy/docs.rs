//! Every path that a document names in backticks exists.

use crate::source;

const TOPS: [&str; 8] =
    ["pure/", "shell/", "docs/", "xtask/", "conformance/", "fuzz/", ".ci/", "bench/"];

pub(super) fn check() -> Result<Vec<String>, String> {
    let mut faults = Vec::new();
    for doc in source::files(&[".md"])? {
        for (number, line) in doc.text.lines().enumerate() {
            for path in line.split('`').skip(1).step_by(2) {
                let path = path.trim_end_matches('/');
                let plain = !path.contains(['*', '{', '<', ' ', '…']);
                let ours = TOPS.iter().any(|top| path.starts_with(top));
                if ours && plain && !source::root().join(path).exists() {
                    faults.push(format!("{}:{}: `{path}` does not exist", doc.path, number + 1));
                }
            }
        }
    }
    Ok(faults)
}
