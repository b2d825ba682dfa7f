//! Java's .properties format, as java.util.Properties reads it. Knows no key.

use super::ParseError;
use crate::setting::{Origin, Setting};

/// Every entry, in the order of the file; a later one of the same key wins, as in Java.
pub fn parse(path: &str, text: &str) -> Result<Vec<Setting>, Vec<ParseError>> {
    let mut settings = Vec::new();
    let mut errors = Vec::new();
    for (line, logical) in logical_lines(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        let (key, value) = split(&logical);
        match (unescape(key), unescape(value)) {
            (Ok(key), Ok(value)) => {
                let origin = Origin::File { path: path.to_owned(), line };
                settings.push(Setting { key, value, origin });
            }
            (Err(message), _) | (_, Err(message)) => {
                errors.push(ParseError { path: path.to_owned(), line, message });
            }
        }
    }
    if errors.is_empty() { Ok(settings) } else { Err(errors) }
}

/// Lines joined where a backslash continues them, each with the number of its first one. Blank and
/// comment lines are left out.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, natural) in natural_lines(text).enumerate() {
        let content = natural.trim_start_matches(is_blank);
        if open.is_none() && (content.is_empty() || content.starts_with(['#', '!'])) {
            continue;
        }
        let (line, mut logical) = open.take().unwrap_or((at + 1, String::new()));
        let backslashes = content.bytes().rev().take_while(|byte| *byte == b'\\').count();
        let continues = backslashes % 2 == 1;
        logical.push_str(&content[..content.len() - usize::from(continues)]);
        // As in Java, a backslash alone begins nothing: the next line may still be a comment.
        match (logical.is_empty(), continues) {
            (true, _) => {}
            (false, true) => open = Some((line, logical)),
            (false, false) => found.push((line, logical)),
        }
    }
    found.extend(open);
    found
}

/// Lines end with \n, \r or both.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| {
        // A \r before the \n belongs to it; any other one ends a line of its own.
        line.strip_suffix('\r').unwrap_or(line).split('\r')
    })
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// The key ends at the first `=`, `:` or blank that no backslash protects.
fn split(logical: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = logical.find(|c: char| {
        let ends = !escaped && (matches!(c, '=' | ':') || is_blank(c));
        escaped = c == '\\' && !escaped;
        ends
    });
    let (key, rest) = logical.split_at(end.unwrap_or(logical.len()));
    let rest = rest.trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, value.trim_start_matches(is_blank))
}

fn unescape(text: &str) -> Result<String, String> {
    // Escapes may spell the two halves of one character, so the halves are joined at the end.
    let mut units: Vec<u16> = Vec::new();
    let mut unit = [0; 2];
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let plain = match c {
            '\\' => match rest.next() {
                Some('u') => {
                    units.push(unicode_escape(&mut rest)?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        units.extend_from_slice(plain.encode_utf16(&mut unit));
    }
    Ok(String::from_utf16_lossy(&units))
}

fn unicode_escape(rest: &mut std::str::Chars<'_>) -> Result<u16, String> {
    let mut code = 0;
    for _ in 0..4 {
        let digit = rest.next().and_then(|c| c.to_digit(16));
        code = code * 16 + digit.ok_or("a \\u needs four hexadecimal digits after it")?;
    }
    Ok(u16::try_from(code).expect("four hexadecimal digits fit in 16 bits"))
}
