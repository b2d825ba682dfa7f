//! The words for a place, and times against known ones.

use super::*;

#[test]
fn places() {
    let cases = [
        ("beginning", Position::Beginning),
        ("end", Position::End),
        ("17", Position::Offset(17)),
        ("0", Position::Offset(0)),
        ("-5", Position::BeforeEnd(5)),
        ("@1700000000000", Position::Time(1_700_000_000_000)),
        ("@-90s", Position::Ago(90_000)),
        ("@-2d", Position::Ago(172_800_000)),
        ("@1970-01-01", Position::Time(0)),
        ("@2000-02-29T12:30:15.5Z", Position::Time(951_827_415_500)),
        ("@2023-11-14T22:13:20Z", Position::Time(1_700_000_000_000)),
        ("@2023-11-14T23:13:20+01:00", Position::Time(1_700_000_000_000)),
        ("@2023-11-14 22:13:20", Position::Time(1_700_000_000_000)),
    ];
    for (text, expected) in cases {
        assert_eq!(text.parse::<Position>(), Ok(expected), "{text}");
    }
    for bad in ["", "x", "@", "@x", "@-1y", "@2023-13-01", "@2023-11-14T25:00:00Z", "@2023-11"] {
        assert!(bad.parse::<Position>().is_err(), "{bad}");
    }
}
