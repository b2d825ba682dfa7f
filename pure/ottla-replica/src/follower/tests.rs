//! Goal: what an answer makes of a follower's log. Method: one answer, whole actions.

use super::*;

const LOG: LogBounds =
    LogBounds { log_start: 5, high_watermark: 20, durable_end: 30, log_end: 30, last_epoch: 4 };

fn follower() -> Follower {
    Follower::new(1, 6, 1000)
}

fn answered(answer: Answer) -> (Follower, Vec<Action>) {
    let mut follower = follower();
    let point = follower.fetch_point(0, &LOG).unwrap();
    let mut out = Vec::new();
    follower.handle(0, &LOG, Event::Answered { point, answer }, &mut out);
    (follower, out)
}

fn end(epoch: i32, end_offset: i64) -> EpochEnd {
    EpochEnd { epoch, end_offset }
}

#[test]
fn it_fetches_from_its_log_end_once_that_is_durable() {
    let point = FetchPoint { leader_epoch: 6, offset: 30, last_fetched_epoch: 4 };
    assert_eq!(follower().fetch_point(0, &LOG), Some(point));
    assert_eq!(follower().fetch_point(0, &LogBounds { durable_end: 29, ..LOG }), None);
    assert_eq!(Follower::new(-1, 6, 1000).fetch_point(0, &LOG), None);
}

#[test]
fn records_are_appended_before_anything_they_say_is_believed() {
    let answer = Answer::Records { high_watermark: 35, log_start: 8, is_empty: false };
    let (mut follower, out) = answered(answer);
    let expected = [Action::Append, Action::RaiseHighWatermark(35), Action::RaiseLogStart(8)];
    assert_eq!(out, expected);
    assert_eq!(follower.fetch_point(0, &LOG), None, "it waits for the log");
    follower.handle(0, &LOG, Event::Done, &mut Vec::new());
    assert!(follower.fetch_point(0, &LOG).is_some());
    let answer = Answer::Records { high_watermark: 20, log_start: 5, is_empty: true };
    assert_eq!(answered(answer).1, []);
}

#[test]
fn a_delayed_answer_is_void() {
    let mut follower = follower();
    let answer = Answer::Diverging { leaders: end(3, 10), own: end(3, 10) };
    for point in [
        FetchPoint { leader_epoch: 5, offset: 30, last_fetched_epoch: 4 },
        FetchPoint { leader_epoch: 6, offset: 28, last_fetched_epoch: 4 },
        FetchPoint { leader_epoch: 6, offset: 30, last_fetched_epoch: 3 },
    ] {
        let mut out = Vec::new();
        follower.handle(0, &LOG, Event::Answered { point, answer }, &mut out);
        assert_eq!(out, [], "{point:?}");
    }
    let mut out = Vec::new();
    let bounds = Event::Bounds { leader_epoch: 6, log_start: 90, log_end: 99 };
    follower.handle(0, &LOG, bounds, &mut out);
    assert_eq!(out, [], "nobody asked");
}

/// (the leader's epoch and its end, our end of that epoch or the one below, where the log is cut)
const CUTS: [(EpochEnd, EpochEnd, Action); 7] = [
    // The same epoch, shorter there.
    (end_of(4, 25), end_of(4, 30), cut_to(25)),
    // The same epoch, shorter here: ours went on with an epoch that the leader does not know.
    (end_of(3, 28), end_of(3, 26), cut_to(26)),
    // An epoch that we do not know: down to the end of the one below.
    (end_of(3, 28), end_of(2, 22), cut_to(22)),
    // We know none at all up to it.
    (end_of(3, 28), end_of(-1, -1), cut_to(28)),
    // Below the high watermark: the leader shows what it has there.
    (end_of(2, 12), end_of(2, 30), Action::Truncate { to: 12, below_high_watermark: true }),
    // It shows nothing: what is committed stays.
    (end_of(-1, -1), end_of(-1, -1), cut_to(20)),
    // Below our log start: nothing of ours is of use.
    (end_of(1, 3), end_of(1, 30), Action::Restart { at: 0 }),
];

const fn end_of(epoch: i32, end_offset: i64) -> EpochEnd {
    EpochEnd { epoch, end_offset }
}

const fn cut_to(to: i64) -> Action {
    Action::Truncate { to, below_high_watermark: false }
}

#[test]
fn a_diverging_log_is_cut_where_it_parts_from_the_leaders() {
    for (leaders, own, expected) in CUTS {
        let (_, out) = answered(Answer::Diverging { leaders, own });
        assert_eq!(out, [expected], "{leaders:?} {own:?}");
    }
}

/// (the leader's log start and end, what follows)
const BOUNDS: [(i64, i64, Option<Action>); 5] = [
    (40, 50, Some(Action::Restart { at: 40 })),
    (0, 25, Some(Action::Truncate { to: 25, below_high_watermark: false })),
    (0, 12, Some(Action::Truncate { to: 12, below_high_watermark: true })),
    (0, 2, Some(Action::Restart { at: 0 })),
    // It moved meanwhile: ask again after a pause.
    (0, 90, None),
];

#[test]
fn out_of_range_it_goes_by_the_leaders_bounds() {
    for (log_start, log_end, expected) in BOUNDS {
        let (mut follower, out) = answered(Answer::OutOfRange);
        assert_eq!(out, [Action::AskBounds]);
        assert!(follower.asks_for_bounds());
        let mut out = Vec::new();
        let bounds = Event::Bounds { leader_epoch: 6, log_start, log_end };
        follower.handle(10, &LOG, bounds, &mut out);
        assert_eq!(out, Vec::from_iter(expected), "{log_start}..{log_end}");
        if expected.is_none() {
            assert_eq!(follower.deadline_ms(), Some(10 + PAUSE_MIN_MS));
        }
    }
}

#[test]
fn after_a_refusal_it_pauses() {
    let (mut follower, out) = answered(Answer::Refused);
    assert_eq!(out, []);
    assert_eq!(follower.fetch_point(PAUSE_MIN_MS - 1, &LOG), None);
    assert!(follower.fetch_point(PAUSE_MIN_MS, &LOG).is_some());
    (0..20).for_each(|_| follower.handle(0, &LOG, Event::Unreachable, &mut Vec::new()));
    assert_eq!(follower.deadline_ms(), Some(1000), "the longest pause is the configured one");
}
