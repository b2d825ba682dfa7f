//! Goal: bytes that Apache Kafka wrote are read as the values it meant, and written back as they were.
//! `cargo xtask oracle --write-vectors` made the larger file.

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_protocol::json::{Json, Value};
use ottla_protocol::messages::*;
use ottla_protocol::{Message, decode_exact, encode_to_bytes};

const VECTORS: &str = include_str!("../vectors/kafka-4.4.0.txt");
/// The versions Ottla serves and Kafka 4 does not.
const OLD_VECTORS: &str = include_str!("../vectors/kafka-3.9.1.txt");

pub(crate) struct Vector {
    pub(crate) version: i16,
    pub(crate) bytes: Bytes,
    json: Value,
}

/// Every vector by its message.
pub(crate) fn vectors() -> BTreeMap<&'static str, Vec<Vector>> {
    let mut all: BTreeMap<&str, Vec<Vector>> = BTreeMap::new();
    for line in VECTORS.lines().chain(OLD_VECTORS.lines()).filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = line.splitn(4, ' ').collect();
        let [name, version, hex, json] = parts[..] else { panic!("odd vector: {line}") };
        all.entry(name).or_default().push(Vector {
            version: version.parse().expect("a version"),
            bytes: unhex(hex),
            json: serde_json::from_str(json).expect("JSON"),
        });
    }
    all
}

pub(crate) fn unhex(text: &str) -> Bytes {
    let digits = text.as_bytes().chunks(2).filter(|pair| *pair != b"-");
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16);
    digits.map(|pair| byte(pair).expect("hex")).collect()
}

fn check<M: Message + Json + PartialEq + std::fmt::Debug>(vectors: &[Vector]) {
    for Vector { version, bytes, json } in vectors {
        let value: M = decode_exact(bytes.clone(), *version).expect("Kafka's bytes");
        assert_eq!(value.to_json(*version), *json, "{} v{version}", M::NAME);
        assert_eq!(M::from_json(json, *version).as_ref(), Ok(&value), "{} v{version}", M::NAME);
        assert_eq!(encode_to_bytes(&value, *version).as_ref(), Ok(bytes), "{} v{version}", M::NAME);
    }
}

#[test]
fn kafkas_bytes_and_values() {
    let all = vectors();
    let mut checked = 0;
    macro_rules! each {
        ($message:ident) => {
            if let Some(vectors) = all.get($message::NAME) {
                check::<$message>(vectors);
                checked += 1;
            }
        };
    }
    ottla_protocol::for_each_message!(each);
    assert_eq!((checked, all.len()), (278, 278));
}

#[test]
fn a_message_cut_anywhere_is_an_error() {
    let all = vectors();
    macro_rules! each {
        ($message:ident) => {
            for vector in all.get($message::NAME).into_iter().flatten() {
                for cut in 0..vector.bytes.len() {
                    let cut = decode_exact::<$message>(vector.bytes.slice(..cut), vector.version);
                    assert!(cut.is_err());
                }
            }
        };
    }
    ottla_protocol::for_each_message!(each);
}
