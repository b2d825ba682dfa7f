//! Texts people write settings in. Reads no file: a text and its name come in, located settings or
//! located errors go out.

use std::fmt;

use crate::setting::Setting;

pub mod environment;
pub mod properties;
pub mod toml_file;

/// Text that is not what its format asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    pub path: String,
    pub line: usize,
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// A configuration file's settings: TOML if its name ends so, properties otherwise.
pub fn file(path: &str, text: &str) -> Result<Vec<Setting>, Vec<ParseError>> {
    let is_toml = path.to_ascii_lowercase().ends_with(".toml");
    if is_toml { toml_file::parse(path, text) } else { properties::parse(path, text) }
}

/// `key=value`, as a flag says it.
pub fn assignment(word: &str) -> Result<Setting, String> {
    match word.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok(Setting::flag(key.trim(), value.trim())),
        _ => Err(format!("\"{word}\" is not key=value, for example num.partitions=3")),
    }
}
