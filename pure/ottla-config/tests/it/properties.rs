//! .properties texts are read as java.util.Properties reads them; any text at all is read without a
//! panic. Method: texts that Java loaded, and random ones.

use std::collections::BTreeMap;

use ottla_config::parse::{self, properties, toml_file};
use ottla_config::{Origin, Setting};
use proptest::prelude::*;

const JAVA: &str = include_str!("facts/properties.tsv");

fn unhex(hex: &str) -> String {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let bytes = if hex == "-" { Vec::new() } else { (0..hex.len()).step_by(2).map(byte).collect() };
    String::from_utf8(bytes).unwrap()
}

fn map(settings: Vec<Setting>) -> BTreeMap<String, String> {
    settings.into_iter().map(|setting| (setting.key, setting.value)).collect()
}

#[test]
fn texts_are_read_as_java_reads_them() {
    for line in JAVA.lines().skip(1) {
        let (hex, expected) = line.split_once('\t').unwrap();
        let text = unhex(hex);
        // Java makes an empty key of a lone backslash at the very end; nobody means that.
        if text.trim_end_matches(['\n', '\r']).ends_with('\\') {
            continue;
        }
        // Java writes half of a character as a question mark.
        let whole = |settings| {
            let pairs = map(settings).into_iter();
            pairs
                .map(|(key, value)| (key.replace('\u{fffd}', "?"), value.replace('\u{fffd}', "?")))
                .collect()
        };
        let ours = properties::parse("f", &text).ok().map(whole);
        let java = (expected != "!").then(|| {
            let pairs = expected.split(' ').filter(|pair| *pair != "-");
            pairs
                .map(|pair| pair.split_once('=').unwrap())
                .map(|(key, value)| (unhex(key), unhex(value)))
                .collect::<BTreeMap<_, _>>()
        });
        assert_eq!(ours, java, "{text:?}");
    }
}

#[test]
fn an_entry_knows_its_line() {
    let text = "# a comment\n\na=1\nb = x \\\n    y\r\nc:2";
    let found = properties::parse("server.properties", text).unwrap();
    let lines: Vec<(String, String, String)> = found
        .into_iter()
        .map(|setting| (setting.key, setting.value, setting.origin.to_string()))
        .collect();
    let at = |key: &str, value: &str, line: u8| {
        (key.to_owned(), value.to_owned(), format!("server.properties:{line}"))
    };
    assert_eq!(lines, [at("a", "1", 3), at("b", "x y", 4), at("c", "2", 6)]);
}

#[test]
fn a_broken_escape_is_located() {
    let errors = properties::parse("f", "a=1\nb=\\u12x4\nc=\\u").unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "f:2: a \\u needs four hexadecimal digits after it",
            "f:3: a \\u needs four hexadecimal digits after it",
        ]
    );
}

#[test]
fn toml_tables_and_dots_make_the_same_keys() {
    let text = "num.partitions = 3\nlisteners = [\"PLAINTEXT://:9092\", \"X://:9093\"]\n\
                [log.retention]\nms = 5\n[ottla]\nflush = \"none\"\n\"log.preallocate\" = true\n";
    let found = parse::file("ottla.toml", text).unwrap();
    let expected = [
        ("listeners", "PLAINTEXT://:9092,X://:9093", 2),
        ("log.retention.ms", "5", 4),
        ("num.partitions", "3", 1),
        ("ottla.flush", "none", 6),
        ("ottla.log.preallocate", "true", 7),
    ];
    let mut found = found;
    found.sort_by(|a, b| a.key.cmp(&b.key));
    for (setting, (key, value, line)) in found.iter().zip(expected) {
        let origin = Origin::File { path: "ottla.toml".into(), line };
        assert_eq!(*setting, Setting { key: key.into(), value: value.into(), origin });
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn broken_toml_is_located() {
    let errors = toml_file::parse("f.toml", "a = 1\nb = \n").unwrap_err();
    assert_eq!(errors[0].line, 2);
    let dates = toml_file::parse("f.toml", "a = 2020-01-01\n").unwrap_err();
    assert_eq!(dates[0].to_string(), "f.toml:1: a: expected a text, number, boolean or list");
}

/// Writes an entry so that nothing in it means anything.
fn written(key: &str, value: &str) -> String {
    let escape = |text: &str| -> String {
        let protect = |c: char| if c.is_ascii_alphanumeric() { vec![c] } else { vec!['\\', c] };
        text.chars().filter(|c| !"\n\r\t\u{c}".contains(*c)).flat_map(protect).collect()
    };
    format!("{}={}\n", escape(key), escape(value))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*|[a=: \\\\\n\r#u0-9]*") {
        let _ = properties::parse("f", &text);
        let _ = toml_file::parse("f.toml", &text);
        let _ = parse::assignment(&text);
    }

    #[test]
    fn what_is_written_is_read(pairs in proptest::collection::btree_map("[^\n\r\t\u{c}]{1,12}", "[^\n\r\t\u{c}]{0,12}", 0..6)) {
        let text: String = pairs.iter().map(|(key, value)| written(key, value)).collect();
        prop_assert_eq!(map(properties::parse("f", &text).unwrap()), pairs);
    }
}
