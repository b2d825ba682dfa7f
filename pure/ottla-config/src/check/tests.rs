//! Tests of `check`: each kind of check at its edges.

use super::{Check, at_least, between};

fn fits(check: Check, text: &str) -> bool {
    check.verify("key", text).is_ok()
}

#[test]
fn every_kind_at_its_edges() {
    let table: &[(Check, &[&str], &[&str])] = &[
        (at_least(1), &["1", "9223372036854775807"], &["0", "-1"]),
        (between(0, 5), &["0", "5"], &["-1", "6"]),
        (Check::DoubleBetween(0.0, 0.5), &["0", "0.5"], &["-0.1", "0.51", "NaN"]),
        (Check::OneOf(&["a", "b"]), &["a"], &["A", "", "c"]),
        (Check::OneOfIgnoringCase(&["A"]), &["a", "A"], &["b"]),
        (Check::ListOf(&["a", "b"]), &["", "a", "a,b", "b, a"], &["a,", "c", "a,,b"]),
        (Check::NonEmptyList, &["x"], &["x,,y"]),
        (Check::NonEmpty, &["x"], &[""]),
        (Check::GzipLevel, &["-1", "1", "9"], &["0", "10", "-2"]),
        (Check::ThrottledReplicas, &["", "*", "0:1,2:3"], &["x", "0", "0:", ":1", "0:1,x"]),
        (
            Check::AutoOffsetReset,
            &[
                "latest",
                "EARLIEST",
                "by_duration:PT1H",
                "by_duration:P1DT2H3M4.5S",
                "by_duration:P2D",
            ],
            &[
                "none",
                "by_duration:",
                "by_duration:P",
                "by_duration:PT",
                "by_duration:1H",
                "by_duration:PT1S1H",
            ],
        ),
    ];
    for (check, good, bad) in table {
        for text in *good {
            assert!(fits(*check, text), "{check:?} refuses {text:?}");
        }
        for text in *bad {
            assert!(!fits(*check, text), "{check:?} takes {text:?}");
        }
    }
}
