//! Format strings for records, in the words of kcat and rpk: `%t/%p@%o %k=%s\n`.
//!
//! `%t` topic, `%p` partition, `%o` offset, `%e` leader epoch, `%k` key, `%v` or `%s` value, `%K` and
//! `%V` or `%S` their lengths (-1 for null), `%T` or `%d` timestamp in ms, `%h` headers as `a=b,c=d`,
//! `%h{...}` each header with `%k` and `%v`, `%H` their number, `%i` number of the record, `%%`;
//! `\n \r \t \\ \xHH`.

use ottla_client::ConsumedRecord;

/// A format string taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Token(char),
    /// Parts repeated for each header.
    Headers(Vec<Part>),
}

const TOKENS: &str = "tpoekvsKVSTdhHi";

impl Template {
    /// Takes a format string apart.
    pub(crate) fn parse(text: &str) -> Result<Template, String> {
        let mut characters = text.chars().peekable();
        let parts = parse_parts(&mut characters, TOKENS)?;
        match characters.next() {
            None => Ok(Template { parts }),
            Some(other) => Err(format!("a stray {other}")),
        }
    }

    /// Appends a record; `number` counts from 1.
    pub(super) fn write(&self, record: &ConsumedRecord, number: u64, into: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => into.extend_from_slice(text),
                Part::Token(token) => write_token(*token, record, number, into),
                Part::Headers(parts) => {
                    for (key, value) in &record.headers {
                        write_header(parts, key.as_bytes(), value.as_deref(), into);
                    }
                }
            }
        }
    }
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Parts up to the end or, inside braces (few tokens), to the closing one, which is taken.
fn parse_parts(characters: &mut Characters<'_>, tokens: &str) -> Result<Vec<Part>, String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut text = Vec::new();
    let inside_braces = tokens != TOKENS;
    while let Some(character) = characters.next() {
        match character {
            '}' if inside_braces => {
                flush(&mut text, &mut parts);
                return Ok(parts);
            }
            '\\' => text.extend_from_slice(&escape(characters)?),
            '%' => {
                let token = characters.next().ok_or("a % at the end: write %% for the sign")?;
                if token == '%' {
                    text.push(b'%');
                    continue;
                }
                if !tokens.contains(token) {
                    return Err(format!("%{token} is not known; there are: {tokens}"));
                }
                flush(&mut text, &mut parts);
                if token == 'h' && characters.peek() == Some(&'{') {
                    characters.next();
                    parts.push(Part::Headers(parse_parts(characters, "kv")?));
                } else {
                    parts.push(Part::Token(token));
                }
            }
            other => {
                let mut bytes = [0; 4];
                text.extend_from_slice(other.encode_utf8(&mut bytes).as_bytes());
            }
        }
    }
    if inside_braces {
        return Err("%h{ without its }".to_owned());
    }
    flush(&mut text, &mut parts);
    Ok(parts)
}

fn flush(text: &mut Vec<u8>, parts: &mut Vec<Part>) {
    if !text.is_empty() {
        parts.push(Part::Text(std::mem::take(text)));
    }
}

fn escape(characters: &mut Characters<'_>) -> Result<Vec<u8>, String> {
    match characters.next() {
        Some('n') => Ok(vec![b'\n']),
        Some('r') => Ok(vec![b'\r']),
        Some('t') => Ok(vec![b'\t']),
        Some('0') => Ok(vec![0]),
        Some('\\') => Ok(vec![b'\\']),
        Some('x') => {
            let digits: String = characters.by_ref().take(2).collect();
            let byte = u8::from_str_radix(&digits, 16);
            byte.map(|byte| vec![byte]).map_err(|_| format!("\\x{digits} is no byte"))
        }
        other => Err(format!("\\{} is not known", other.unwrap_or(' '))),
    }
}

fn write_token(token: char, record: &ConsumedRecord, number: u64, into: &mut Vec<u8>) {
    let length = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(-1, |b| b.len() as i64);
    let mut put = |text: String| into.extend_from_slice(text.as_bytes());
    match token {
        't' => put(record.topic.to_string()),
        'p' => put(record.partition.to_string()),
        'o' => put(record.offset.to_string()),
        'e' => put(record.leader_epoch.to_string()),
        'T' | 'd' => put(record.timestamp.to_string()),
        'K' => put(length(&record.key).to_string()),
        'V' | 'S' => put(length(&record.value).to_string()),
        'H' => put(record.headers.len().to_string()),
        'i' => put(number.to_string()),
        'k' => into.extend_from_slice(record.key.as_deref().unwrap_or_default()),
        'v' | 's' => into.extend_from_slice(record.value.as_deref().unwrap_or_default()),
        _ => write_headers(record, into),
    }
}

/// As kcat: `a=b,c=d`, with NULL for a value that is not there.
fn write_headers(record: &ConsumedRecord, into: &mut Vec<u8>) {
    for (index, (key, value)) in record.headers.iter().enumerate() {
        if index > 0 {
            into.push(b',');
        }
        into.extend_from_slice(key.as_bytes());
        into.push(b'=');
        into.extend_from_slice(value.as_deref().unwrap_or(b"NULL"));
    }
}

fn write_header(parts: &[Part], key: &[u8], value: Option<&[u8]>, into: &mut Vec<u8>) {
    for part in parts {
        match part {
            Part::Text(text) => into.extend_from_slice(text),
            Part::Token('k') => into.extend_from_slice(key),
            _ => into.extend_from_slice(value.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests;
