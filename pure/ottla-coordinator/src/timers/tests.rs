use super::*;

fn at(mono_ms: i64) -> Now {
    Now { mono_ms, wall_ms: 0 }
}

fn heartbeat(member: &'static str) -> Timer {
    Timer::Heartbeat { group: Str::from("g"), member: Str::from(member) }
}

/// A timer has one deadline: scheduling again moves it, and both views stay equal.
#[test]
fn rescheduling_moves_the_deadline() {
    let mut timers = Timers::default();
    timers.schedule(at(0), heartbeat("a"), 10);
    timers.schedule(at(5), heartbeat("a"), 10);
    timers.schedule(at(5), heartbeat("b"), 3);
    assert_eq!(timers.len(), 2);
    assert_eq!(timers.deadline(), Some(8));
    assert_eq!(timers.take_due(at(7)), None);
    assert_eq!(timers.take_due(at(20)), Some(heartbeat("b")));
    assert_eq!(timers.take_due(at(14)), None);
    assert_eq!(timers.take_due(at(15)), Some(heartbeat("a")));
    assert!(timers.is_empty());
    assert_eq!(timers.deadline(), None);
}

/// A cancelled timer never fires.
#[test]
fn cancelling_removes_both_entries() {
    let mut timers = Timers::default();
    timers.schedule(at(0), Timer::ExpireOffsets, i64::MAX);
    timers.schedule(at(0), heartbeat("a"), -5);
    timers.cancel(&heartbeat("a"));
    timers.cancel(&heartbeat("never"));
    assert_eq!(timers.deadline(), Some(i64::MAX));
    assert_eq!(timers.take_due(at(9)), None);
}
