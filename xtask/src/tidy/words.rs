//! Words that must not stand in the code: the world in `pure/`, the operating system outside
//! `ottla-env`, promises instead of code, and names that say nothing.

use crate::source::Source;

const IMPURE: [&str; 11] = [
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::thread",
    "Instant::now",
    "SystemTime",
    ".await",
    "async fn",
    "HashMap",
    "HashSet",
    "tokio",
];
const SYSTEM: [&str; 8] = [
    "std::fs::",
    "std::net::Tcp",
    "std::thread",
    "tokio::spawn",
    "tokio::time",
    "tokio::net",
    "tokio::fs",
    "rustix::",
];
const PROMISES: [&str; 6] =
    ["todo!(", "unimplemented!(", "#[ignore", "assert!(true)", "FIXME", "XXX"];
const VAGUE_FILES: [&str; 6] = ["common", "misc", "types", "utils", "util", "helpers"];
const VAGUE_ENDINGS: [&str; 9] =
    ["Manager", "Helper", "Util", "Utils", "Impl", "Service", "Factory", "Data", "Info"];

pub(super) fn check(rust: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in rust.iter().filter(|file| !file.is_generated() && !file.path.starts_with("xtask/"))
    {
        let pure = file.path.starts_with("pure/") && !file.is_test();
        let shell = file.path.starts_with("shell/")
            && !file.path.starts_with("shell/ottla-env/")
            && !file.is_test();
        let stem = file.path.rsplit('/').next().unwrap_or("").trim_end_matches(".rs");
        if VAGUE_FILES.contains(&stem) {
            faults.push(format!("{}: a name that says nothing", file.path));
        }
        let mut lines = file.text.lines().enumerate().peekable();
        while let Some((number, line)) = lines.next() {
            let code = line.split("//").next().unwrap_or("");
            let at = format!("{}:{}", file.path, number + 1);
            // HashMap of hashbrown is built with a fixed hasher; its path says so.
            let banned = IMPURE.iter().find(|w| has_word(code, w) && !code.contains("hashbrown"));
            if let (true, Some(word)) = (pure, banned) {
                faults.push(format!("{at}: `{word}` in a pure crate"));
            }
            let system = SYSTEM.iter().find(|w| code.contains(**w));
            if let (true, Some(word)) = (shell, system) {
                faults.push(format!("{at}: `{word}` belongs in ottla-env"));
            }
            // Without it the branches are polled in a random order, and a seed is no longer one run.
            let biased = lines.peek().is_some_and(|(_, next)| next.trim() == "biased;");
            if code.contains("select! {") && !biased {
                faults.push(format!("{at}: `select!` without `biased;`"));
            }
            if let Some(word) = PROMISES.iter().find(|word| stands_alone(line, word)) {
                faults.push(format!("{at}: `{word}`"));
            }
            if let Some(name) = vague_name(code) {
                faults.push(format!("{at}: `{name}` ends in a word that says nothing"));
            }
        }
    }
    faults
}

/// Whether `word` stands in `code` and no longer word begins with it.
fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let next = code[at + word.len()..].chars().next();
        !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Like [`has_word`], and no longer word ends with it either.
fn stands_alone(line: &str, word: &str) -> bool {
    has_word(line, word)
        && line.match_indices(word).any(|(at, _)| {
            !line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
}

fn vague_name(code: &str) -> Option<&str> {
    let rest = ["struct ", "enum ", "trait "].iter().find_map(|kind| {
        let (before, after) = code.split_once(*kind)?;
        before.trim().chars().all(|c| c.is_alphanumeric() || "()".contains(c)).then_some(after)
    })?;
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    let name = &rest[..end];
    VAGUE_ENDINGS.iter().any(|ending| name.ends_with(*ending)).then_some(name)
}
