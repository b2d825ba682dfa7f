//! `meta.properties` version 1: which node and cluster a log directory belongs to.

use ottla_protocol::Uuid;

use super::Malformed;

/// The identity of a log directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaProperties {
    pub cluster_id: String,
    pub node_id: i32,
    /// Absent in directories formatted before Kafka 3.7.
    pub directory_id: Option<Uuid>,
}

/// Reads the file. Keys it does not know are left aside, as Kafka does.
///
/// # Errors
/// What is missing or not understood. Version 0 (ZooKeeper's) is refused.
pub fn parse(text: &str) -> Result<MetaProperties, Malformed> {
    let mut found: [Option<(usize, String)>; KEYS.len()] = Default::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let Some((key, value)) = line.split_once(['=', ':']) else {
            return Err(Malformed::new(index + 1, "not a key and a value"));
        };
        if let Some(slot) = KEYS.iter().position(|known| *known == key.trim()) {
            found[slot] = Some((index + 1, unescape(value.trim())));
        }
    }
    let [version, cluster_id, node_id, directory_id] = found;
    let (line, version) = required("version", version)?;
    if version != "1" {
        let what = format!(
            "version {version} where 1 is known; a directory of ZooKeeper's years must first be migrated with Kafka 3.9"
        );
        return Err(Malformed::new(line, what));
    }
    let (line, node_id) = required("node.id", node_id)?;
    let node_id = super::number(line, &node_id)?;
    let directory_id = match directory_id {
        None => None,
        Some((line, id)) => Some(
            id.parse::<Uuid>()
                .map_err(|_| Malformed::new(line, format!("\"{id}\" is no directory id")))?,
        ),
    };
    Ok(MetaProperties { cluster_id: required("cluster.id", cluster_id)?.1, node_id, directory_id })
}

/// The file's text as Java's Properties writes it; `date` is the comment on its second line.
pub fn format(meta: &MetaProperties, date: &str) -> String {
    let mut text = format!("#\n#{date}\nnode.id={}\n", meta.node_id);
    if let Some(id) = meta.directory_id {
        text.push_str(&format!("directory.id={id}\n"));
    }
    text.push_str(&format!("version=1\ncluster.id={}\n", escape(&meta.cluster_id)));
    text
}

const KEYS: [&str; 4] = ["version", "cluster.id", "node.id", "directory.id"];

fn required(key: &str, found: Option<(usize, String)>) -> Result<(usize, String), Malformed> {
    found.ok_or_else(|| Malformed::new(0, format!("{key} is missing")))
}

/// A value without the backslashes of Java's Properties (none of a code point: ids are plain ASCII).
fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, '\\' | '=' | ':' | '#' | '!') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}
