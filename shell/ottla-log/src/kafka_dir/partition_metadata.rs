//! `partition.metadata`: the topic's id, so that a folder of a deleted topic is not taken for that
//! of a new one with the same name.

use ottla_protocol::Uuid;

use super::Malformed;

/// Reads the file.
///
/// # Errors
/// The line that is not as Kafka writes it.
pub fn parse(text: &str) -> Result<Uuid, Malformed> {
    let mut lines = text.lines();
    let version = lines.next().unwrap_or("");
    if version.trim() != "version: 0" {
        return Err(Malformed::new(1, format!("\"{version}\" where \"version: 0\" is known")));
    }
    let line = lines.next().unwrap_or("");
    let id = line.strip_prefix("topic_id:").map(str::trim).and_then(|id| id.parse::<Uuid>().ok());
    match id {
        Some(id) if !id.is_zero() => Ok(id),
        _ => Err(Malformed::new(2, format!("\"{line}\" holds no topic id"))),
    }
}

/// The file's text. Kafka ends it without a line feed.
pub fn format(topic_id: Uuid) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}
