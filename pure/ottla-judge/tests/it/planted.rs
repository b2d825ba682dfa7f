//! Each anomaly is found where it is planted, and nothing is found where none is.

use ottla_judge::{Event, What, judge, promises};
use proptest::prelude::*;

use super::generate::{Dice, Owned, history, right};

const STEPS: usize = 250;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_right_history_is_found_right(seed: u64) {
        let verdict = judge(&mut history(&right(seed, STEPS)));
        prop_assert!(verdict.is_good(), "{:?}", verdict.violations.first());
    }

    /// Goal: no anomaly is missed, wherever it lies.
    #[test]
    fn each_anomaly_is_found(seed: u64, at: u64) {
        let mut planted = 0;
        for promise in promises() {
            let mut events = right(seed, STEPS);
            if !plant(promise, &mut events, &mut Dice::new(at)) {
                continue;
            }
            planted += 1;
            let verdict = judge(&mut history(&events));
            prop_assert!(verdict.broken().contains(&promise), "{promise}: {:?}", verdict.broken());
        }
        prop_assert!(planted >= 5, "only {planted} of the anomalies had a place");
    }
}

#[test]
fn every_anomaly_has_a_place_somewhere() {
    for promise in promises() {
        let found = (0..50).any(|seed| plant(promise, &mut right(seed, STEPS), &mut Dice::new(1)));
        assert!(found, "{promise}");
    }
}

/// Breaks one promise; false if this history offers no place for it.
fn plant(promise: &str, events: &mut Vec<Owned>, dice: &mut Dice) -> bool {
    match promise {
        "lost" => lose(events, dice),
        "one_value" => give_another_value(events, dice),
        "doubled" => append_again(events, dice, |who| who == "p0" || who == "p1"),
        "order" => append_again(events, dice, |who| who == "p2"),
        "contiguous" => remove_final(events, dice),
        "invented" => invent(events, dice),
        "refused" => refuse(events, dice),
        "unread" => unread(events, dice),
        "polls" => swap_reads(events, dice),
        "committed" => go_back(events, dice),
        "owners" => own_twice(events, dice),
        "ghosts" => haunt(events, dice),
        "deleted" => undelete(events, dice),
        "wrong" => insert(events, dice, What::Wrong { text: "!".to_owned() }),
        other => panic!("no plant for {other}"),
    }
}

/// One of the events that `is` holds for.
fn pick(events: &[Owned], dice: &mut Dice, is: impl Fn(&Owned) -> bool) -> Option<usize> {
    let places: Vec<_> = (0..events.len()).filter(|at| is(&events[*at])).collect();
    (!places.is_empty()).then(|| places[dice.below(places.len())])
}

fn insert(events: &mut Vec<Owned>, dice: &mut Dice, what: What<String>) -> bool {
    let t = 1 + dice.below(events.len()) as u64;
    events.push(Event { t, who: "x".to_owned(), what });
    true
}

fn is_final(event: &Owned) -> bool {
    matches!(event.what, What::Final { .. })
}

/// Whether the value of the closing read's event has `is` told of it.
fn told(events: &[Owned], at: usize, is: impl Fn(&Owned, &str) -> bool) -> bool {
    match &events[at].what {
        What::Final { v, .. } => events.iter().any(|event| is(event, v)),
        _ => false,
    }
}

/// Takes the closing read's last record of a partition away, if `is` was told of it.
fn cut_tail(events: &mut Vec<Owned>, is: impl Fn(&Owned, &str) -> bool) -> bool {
    for end in (1..events.len()).rev() {
        if matches!(events[end].what, What::End { .. }) && told(events, end - 1, &is) {
            if let What::End { end, .. } = &mut events[end].what {
                *end -= 1;
            }
            events.remove(end - 1);
            return true;
        }
    }
    false
}

fn lose(events: &mut Vec<Owned>, _dice: &mut Dice) -> bool {
    // A value that its producer doubled is not lost by losing one, and one without a known offset
    // may have been deleted.
    cut_tail(events, |event, v| {
        matches!(&event.what, What::Ack { v: acked, o, .. } if acked == v && *o >= 0)
            && event.who != "p3"
    })
}

fn unread(events: &mut Vec<Owned>, _dice: &mut Dice) -> bool {
    cut_tail(events, |event, v| {
        matches!(&event.what, What::Read { v: read, .. } if read == v) && !v.starts_with("p3")
    })
}

fn give_another_value(events: &mut [Owned], dice: &mut Dice) -> bool {
    let read = |event: &Owned| matches!(event.what, What::Read { .. });
    let Some(at) = pick(events, dice, read) else { return false };
    let What::Read { at: place, o, v, .. } = events[at].what.clone() else { return false };
    let other = pick(
        events,
        dice,
        |event| matches!(&event.what, What::Send { at, v: sent } if *at == place && *sent != v),
    );
    // The true value must be told by somebody else.
    let known = events.iter().enumerate().any(|(index, event)| match &event.what {
        What::Ack { at, o: acked, .. } => (at, *acked) == (&place, o),
        What::Final { at, o: last, .. } => (at, *last) == (&place, o),
        What::Read { at: other, o: read, .. } => index != at && (other, *read) == (&place, o),
        _ => false,
    });
    let (Some(other), true) = (other, known) else { return false };
    let What::Send { v: wrong, .. } = events[other].what.clone() else { return false };
    if let What::Read { v, .. } = &mut events[at].what {
        *v = wrong;
    }
    true
}

/// The closing read finds a record a second time, behind another of its producer.
fn append_again(events: &mut Vec<Owned>, dice: &mut Dice, is: impl Fn(&str) -> bool) -> bool {
    let by = |v: &str| v.split(':').next().is_some_and(&is);
    let Some(at) =
        pick(events, dice, |event| matches!(&event.what, What::Final { v, .. } if by(v)))
    else {
        return false;
    };
    let What::Final { at: place, v, .. } = events[at].what.clone() else { return false };
    let who = v.split(':').next().map(str::to_owned);
    let followed = events[at + 1..].iter().any(|event| {
        matches!(&event.what, What::Final { at, v, .. }
            if *at == place && v.split(':').next().map(str::to_owned) == who)
    });
    if !followed {
        return false;
    }
    append(events, &place.topic, &place.id, place.p, &v)
}

/// The closing read finds one more record.
fn append(events: &mut Vec<Owned>, topic: &str, id: &str, p: i32, v: &str) -> bool {
    for event in events.iter_mut() {
        if let What::End { at, end, .. } = &mut event.what
            && (at.topic.as_str(), at.id.as_str(), at.p) == (topic, id, p)
        {
            let what = What::Final { at: at.clone(), o: *end, v: v.to_owned() };
            *end += 1;
            let t = event.t;
            events.push(Event { t, who: "end".to_owned(), what });
            return true;
        }
    }
    false
}

fn remove_final(events: &mut Vec<Owned>, dice: &mut Dice) -> bool {
    let Some(at) = pick(events, dice, is_final) else { return false };
    events.remove(at);
    true
}

fn invent(events: &mut [Owned], dice: &mut Dice) -> bool {
    let Some(at) = pick(events, dice, is_final) else { return false };
    if let What::Final { v, .. } = &mut events[at].what {
        v.push('\u{1}');
    }
    true
}

fn refuse(events: &mut Vec<Owned>, dice: &mut Dice) -> bool {
    let refused = |event: &Owned| matches!(event.what, What::Refused { .. });
    let Some(at) = pick(events, dice, refused) else { return false };
    let What::Refused { at: place, v } = events[at].what.clone() else { return false };
    append(events, &place.topic, &place.id, place.p, &v)
}

fn swap_reads(events: &mut [Owned], dice: &mut Dice) -> bool {
    let reads = |at: usize| match &events[at].what {
        What::Read { at: place, o, .. } => Some((events[at].who.clone(), place.clone(), *o)),
        _ => None,
    };
    let next_of = |at: usize| {
        let (who, place, o) = reads(at)?;
        (at + 1..events.len())
            .find(|next| reads(*next) == Some((who.clone(), place.clone(), o + 1)))
    };
    // Nothing may lie between them that lets the consumer start anew.
    let pairs: Vec<_> = (0..events.len())
        .filter_map(|at| next_of(at).map(|next| (at, next)))
        .filter(|(at, next)| {
            events[*at..*next]
                .iter()
                .all(|event| !matches!(event.what, What::Seek { .. } | What::Assign { .. }))
        })
        .collect();
    if pairs.is_empty() {
        return false;
    }
    let (one, other) = pairs[dice.below(pairs.len())];
    let what = events[one].what.clone();
    events[one].what = std::mem::replace(&mut events[other].what, what);
    true
}

fn go_back(events: &mut [Owned], dice: &mut Dice) -> bool {
    let asked = |event: &Owned| matches!(event.what, What::Committed { o, .. } if o >= 0);
    let Some(at) = pick(events, dice, asked) else { return false };
    if let What::Committed { o, .. } = &mut events[at].what {
        *o += 1000;
    }
    true
}

fn own_twice(events: &mut Vec<Owned>, dice: &mut Dice) -> bool {
    let assigned = |event: &Owned| matches!(event.what, What::Assign { .. });
    let Some(at) = pick(events, dice, assigned) else { return false };
    let mut what = events[at].what.clone();
    if let What::Assign { member, .. } = &mut what {
        member.push('x');
    }
    insert(events, dice, what)
}

fn haunt(events: &mut Vec<Owned>, dice: &mut Dice) -> bool {
    let last = events.iter().rev().find_map(|event| match &event.what {
        What::End { at, .. } => Some(at.clone()),
        _ => None,
    });
    let Some(now) = last else { return false };
    let Some(at) =
        pick(events, dice, |event| matches!(&event.what, What::Send { at, .. } if at.id != now.id))
    else {
        return false;
    };
    let What::Send { v, .. } = events[at].what.clone() else { return false };
    append(events, &now.topic, &now.id, now.p, &v)
}

fn undelete(events: &mut [Owned], dice: &mut Dice) -> bool {
    let deleted: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.what {
            What::Deleted { at, o } if *o > 0 => Some((at.clone(), *o)),
            _ => None,
        })
        .collect();
    let Some(at) = pick(
        events,
        dice,
        |event| matches!(&event.what, What::End { at, .. } if deleted.iter().any(|(d, _)| d == at)),
    ) else {
        return false;
    };
    if let What::End { start, .. } = &mut events[at].what {
        *start = 0;
    }
    true
}
