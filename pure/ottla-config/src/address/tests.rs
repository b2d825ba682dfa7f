//! Tests of `address`.

use super::{HostPort, Voter};
use crate::value::ConfigValue;

#[test]
fn addresses_are_written_as_they_are_read() {
    for text in ["kafka-1:9093", "10.0.0.1:1", "[::1]:9093", "[fe80::1%eth0]:65535"] {
        assert_eq!(HostPort::parse(text).unwrap().to_string(), text);
        let voter = format!("7@{text}");
        assert_eq!(Voter::parse(&voter).unwrap().to_string(), voter);
    }
}

#[test]
fn what_cannot_be_connected_to_is_no_address() {
    let bad = ["", "kafka", "kafka:", ":9093", "kafka:0", "kafka:65536", "::1:9093", "[::1:9093"];
    for text in bad {
        assert_eq!(HostPort::parse(text), None, "{text}");
    }
    for text in ["kafka:9093", "x@kafka:9093", "-1@kafka:9093", "1@kafka", "@kafka:9093"] {
        assert_eq!(Voter::parse(text), None, "{text}");
    }
}

#[test]
fn a_list_names_the_word_that_is_wrong() {
    let refused = |text: &str| Vec::<Voter>::from_text(text).unwrap_err();
    assert!(refused("1@a:9093,b:9093").starts_with("b:9093 is not id@host:port"));
    assert!(refused("1@0.0.0.0:9093").starts_with("1@0.0.0.0:9093 names every interface"));
    let refused = |text: &str| Vec::<HostPort>::from_text(text).unwrap_err();
    assert!(refused("a:9093,b").starts_with("b is not host:port"));
    assert!(refused("[::]:9093").starts_with("[::]:9093 names every interface"));
    let read = Vec::<Voter>::from_text(" 1@a:1 , 2@b:2 ").unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(Vec::<Voter>::from_text(""), Ok(Vec::new()));
}
