//! Names of partition folders: `topic-partition`, and with `.unique-delete`, `-future` or `-stray`
//! behind it for folders that are being deleted, copied or were found without an owner.

use super::Malformed;

/// What a folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The partition's log.
    Current,
    /// Renamed away; its files wait for `file.delete.delay.ms`.
    Deleted,
    /// A copy that will replace the one in another log directory.
    Future,
    /// Belongs to no known partition; kept for the operator.
    Stray,
}

/// A partition folder's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirName {
    /// Cut at its end where the whole name would not have fitted 255 bytes.
    pub topic: String,
    pub partition: i32,
    pub role: Role,
}

/// Takes a name apart.
///
/// # Errors
/// Says why this is no folder of Kafka's.
pub fn parse(name: &str) -> Result<DirName, Malformed> {
    let refuse = |what: &str| Err(Malformed::new(0, format!("folder \"{name}\" {what}")));
    let suffixed = SUFFIXES.iter().find(|(suffix, _)| name.ends_with(suffix));
    let (plain, role) = match suffixed {
        None => (name, Role::Current),
        Some((_, role)) => match name.rsplit_once('.') {
            Some((plain, unique)) if unique.len() > unique_minimum(*role) => (plain, *role),
            _ => return refuse("has a suffix but no unique part before it"),
        },
    };
    let Some((topic, partition)) = plain.rsplit_once('-') else {
        return refuse("is not named topic-partition");
    };
    match partition.parse::<i32>() {
        Ok(number) if number >= 0 && !topic.is_empty() && number.to_string() == partition => {
            Ok(DirName { topic: topic.to_owned(), partition: number, role })
        }
        _ => refuse("is not named topic-partition"),
    }
}

/// The name of a partition's folder.
pub fn current(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// The name of a folder in another role; `unique` is 32 hexadecimal digits in Kafka. The topic is
/// cut so that the name fits 255 bytes.
pub fn suffixed(topic: &str, partition: i32, unique: &str, role: Role) -> String {
    let suffix = SUFFIXES.iter().find(|(_, known)| *known == role).map_or("", |(suffix, _)| suffix);
    if suffix.is_empty() {
        return current(topic, partition);
    }
    let tail = format!("-{partition}.{unique}{suffix}");
    let room = NAME_BYTES_MAX.saturating_sub(tail.len()).min(topic.len());
    let cut = (0..=room).rev().find(|at| topic.is_char_boundary(*at)).unwrap_or(0);
    format!("{}{tail}", &topic[..cut])
}

const SUFFIXES: [(&str, Role); 3] =
    [("-delete", Role::Deleted), ("-future", Role::Future), ("-stray", Role::Stray)];

const NAME_BYTES_MAX: usize = 255;

/// The unique part is not empty: what follows the last dot is longer than the suffix alone.
fn unique_minimum(role: Role) -> usize {
    SUFFIXES.iter().find(|(_, known)| *known == role).map_or(0, |(suffix, _)| suffix.len())
}
