//! TOML with Kafka's keys, dotted or as tables. A list becomes a text with commas. Knows no key.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ParseError;
use crate::setting::{Origin, Setting};

/// Every value, under the key that its tables and dots make.
pub fn parse(path: &str, text: &str) -> Result<Vec<Setting>, Vec<ParseError>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut found = Found { path, text, settings: Vec::new(), errors: Vec::new() };
    for error in errors {
        found.fault(error.span().map_or(0, |span| span.start), error.message());
    }
    if found.errors.is_empty() {
        found.table("", table.get_ref());
    }
    if found.errors.is_empty() { Ok(found.settings) } else { Err(found.errors) }
}

struct Found<'a> {
    path: &'a str,
    text: &'a str,
    settings: Vec<Setting>,
    errors: Vec<ParseError>,
}

impl Found<'_> {
    fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn fault(&mut self, at: usize, message: impl Into<String>) {
        let line = self.line(at);
        self.errors.push(ParseError { path: self.path.into(), line, message: message.into() });
    }

    /// TOML bounds how deep tables may lie, so this does not recurse far.
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => self.table(&format!("{key}."), inner),
                _ => self.value(key, name.span().start, value),
            }
        }
    }

    fn value(&mut self, key: String, at: usize, value: &Spanned<DeValue<'_>>) {
        let text = match value.get_ref() {
            DeValue::Array(elements) => {
                let texts: Option<Vec<String>> =
                    elements.iter().map(|element| scalar(element.get_ref())).collect();
                texts.map(|texts| texts.join(","))
            }
            other => scalar(other),
        };
        match text {
            Some(value) => {
                let origin = Origin::File { path: self.path.into(), line: self.line(at) };
                self.settings.push(Setting { key, value, origin });
            }
            None => self.fault(at, format!("{key}: expected a text, number, boolean or list")),
        }
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string())
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}
