//! Events as lines.

use ottla_judge::lines::line;
use ottla_judge::{History, judge};

use super::generate::{history, right};

#[test]
fn a_history_reads_back_from_its_lines() {
    for seed in 0..20 {
        let told = history(&right(seed, 200));
        let mut read = History::default();
        for event in told.events() {
            read.push_line(&line(&event)).unwrap();
        }
        assert!(told.events().eq(read.events()), "seed {seed}");
    }
}

/// Files of several clients, one after the other.
#[test]
fn lines_are_judged_in_the_order_of_their_time() {
    let lines = r#"
        {"t":30,"who":"c","ev":"final","topic":"t","p":0,"o":0,"v":"p1:0"}
        {"t":31,"who":"c","ev":"committed","topic":"t","p":0,"group":"g","o":7}

        {"t":1,"who":"p1","ev":"idempotent"}
        {"t":2,"who":"p1","ev":"send","topic":"t","v":"p1:0"}
        {"t":5,"who":"p1","ev":"ack","topic":"t","p":0,"o":0,"v":"p1:0"}
        {"t":9,"who":"c","ev":"commit","topic":"t","p":0,"group":"g","o":7}"#;
    let mut history = History::default();
    for line in lines.lines() {
        history.push_line(line).unwrap();
    }
    assert!(judge(&mut history).is_good());
    history.push_line(r#"{"t":6,"who":"p1","ev":"ack","topic":"t","p":0,"v":"p1:1"}"#).unwrap();
    assert_eq!(judge(&mut history).broken(), ["lost"]);
}

/// Before the first commit is answered, "nothing" may be on its way to somebody.
#[test]
fn who_asked_before_the_first_commit_may_be_told_of_none() {
    let told = |asked: u64| {
        let mut history = History::default();
        for line in [
            r#"{"t":1,"who":"c","ev":"try_commit","topic":"t","p":0,"group":"g","o":7}"#.to_owned(),
            r#"{"t":4,"who":"c","ev":"commit","topic":"t","p":0,"group":"g","o":7}"#.to_owned(),
            format!(
                r#"{{"t":9,"who":"w","ev":"committed","topic":"t","p":0,"group":"g","o":-1,"since":{asked}}}"#
            ),
        ] {
            history.push_line(&line).unwrap();
        }
        judge(&mut history).broken()
    };
    assert_eq!(told(3), [""; 0]);
    assert_eq!(told(5), ["committed"]);
}

#[test]
fn what_is_no_event_is_refused_with_its_reason() {
    let mut history = History::default();
    let mut wrong = |line: &str| history.push_line(line).unwrap_err().to_string();
    assert_eq!(wrong(r#"{"t":1,"ev":"sent"}"#), r#"no event is called "sent""#);
    assert_eq!(
        wrong(r#"{"t":1,"ev":"read","topic":"t","p":0,"v":"x"}"#),
        r#""read" at t 1 wants "o""#
    );
    assert!(wrong(r#"{"t":1,"ev":"ordered","offset":1}"#).contains("unknown field `offset`"));
    assert!(history.is_empty());
}
