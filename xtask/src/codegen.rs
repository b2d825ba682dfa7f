//! `cargo xtask codegen`: the Rust code of every message and record, out of `pure/ottla-protocol/schema/`.
//! With `--check` it writes nothing and fails when the committed code is stale.

mod api_key;
mod expression;
mod json;
mod module;
mod reader;
pub(crate) mod schema;
mod writer;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use schema::{Kind, Message};

pub(crate) fn run(check: bool) -> Result<(), String> {
    let messages = load()?;
    let files = generate(&messages);
    let target = protocol_dir().join("src/generated");
    if check { compare(&files, &target) } else { write(&files, &target) }
}

/// Every schema, in the order of its path.
pub(crate) fn load() -> Result<Vec<Message>, String> {
    let mut messages = Vec::new();
    for folder in entries(&protocol_dir().join("schema"))? {
        if !folder.is_dir() {
            continue;
        }
        for path in entries(&folder)? {
            let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let message = schema::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?;
            messages.push(message);
        }
    }
    messages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(messages)
}

pub(crate) fn protocol_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pure/ottla-protocol")
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let listing = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in listing {
        paths.push(entry.map_err(|e| e.to_string())?.path());
    }
    paths.sort();
    Ok(paths)
}

/// File name to content.
fn generate(messages: &[Message]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let responses: BTreeMap<i16, &Message> = messages
        .iter()
        .filter(|m| m.kind == Kind::Response)
        .filter_map(|m| m.key.map(|key| (key, m)))
        .collect();
    for message in messages {
        let response = message.key.and_then(|key| responses.get(&key).copied());
        let name = schema::snake(&message.name);
        files.insert(format!("{name}.rs"), module::message(message, response));
        files.insert(format!("json/{name}.rs"), json::message(message));
    }
    files.insert("mod.rs".into(), module::index(messages));
    files.insert("json/mod.rs".into(), json::index(messages));
    files.insert("api_key.rs".into(), api_key::table(messages));
    files
}

fn compare(files: &BTreeMap<String, String>, target: &Path) -> Result<(), String> {
    for (name, content) in files {
        let committed = fs::read_to_string(target.join(name)).unwrap_or_default();
        if committed != *content {
            return Err(format!("src/generated/{name} is stale: run `cargo xtask codegen`"));
        }
    }
    match leftovers(files, target)?.first() {
        Some(path) => Err(format!("{} has no schema: run `cargo xtask codegen`", path.display())),
        None => Ok(()),
    }
}

fn write(files: &BTreeMap<String, String>, target: &Path) -> Result<(), String> {
    let describe = |e: std::io::Error| e.to_string();
    fs::create_dir_all(target.join("json")).map_err(describe)?;
    for path in leftovers(files, target)? {
        fs::remove_file(path).map_err(describe)?;
    }
    for (name, content) in files {
        // An unchanged file keeps its time, so that cargo does not build it again.
        if fs::read_to_string(target.join(name)).unwrap_or_default() != *content {
            fs::write(target.join(name), content).map_err(describe)?;
        }
    }
    Ok(())
}

/// Generated files whose schema is gone.
fn leftovers(files: &BTreeMap<String, String>, target: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for folder in ["", "json"] {
        let folder = target.join(folder);
        if !folder.exists() {
            continue;
        }
        for path in entries(&folder)? {
            let name = path.strip_prefix(target).map_err(|e| e.to_string())?;
            if path.is_file() && !files.contains_key(&name.to_string_lossy().into_owned()) {
                found.push(path);
            }
        }
    }
    Ok(found)
}
