//! Which names a topic may have, in Kafka's words. Knows no topic that exists.

use ottla_protocol::Str;

/// Longest name, so that the folder of a partition fits a file system's 255 bytes.
pub const LENGTH_MAX: usize = 249;

/// The topic of the metadata log itself, which nobody may create or delete.
pub const CLUSTER_METADATA: &str = "__cluster_metadata";

/// Topics the cluster keeps its own state in.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Kafka's message when a name is refused.
pub fn validate(name: &str) -> Result<(), String> {
    match name {
        "" => return Err("Topic name is invalid: the empty string is not allowed".into()),
        "." | ".." => return Err(format!("Topic name is invalid: '{name}' is not allowed")),
        _ => {}
    }
    // Kafka counts UTF-16 units; a name of legal characters has one per byte.
    let units = name.encode_utf16().count();
    if units > LENGTH_MAX {
        return Err(format!(
            "Topic name is invalid: the length of '{name}' is longer than the max allowed length {LENGTH_MAX}"
        ));
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        return Err(format!(
            "Topic name is invalid: '{name}' contains one or more characters other than ASCII \
             alphanumerics, '.', '_' and '-'"
        ));
    }
    Ok(())
}

pub fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

/// The name metrics give the topic: `.` and `_` are one there, so two topics must not differ in
/// those alone. Nothing for a name with neither, which collides with no other.
pub fn collision_key(name: &str) -> Option<Str> {
    name.contains(['.', '_']).then(|| Str::from(name.replace('.', "_")))
}

#[cfg(test)]
mod tests;
