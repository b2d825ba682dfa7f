use std::sync::Arc;
use std::time::Duration;

use ottla_env::MonoTime;
use ottla_protocol::{ErrorCode, Str, Uuid};

use super::{Interest, InterestKey, Interests, NO_SESSION, SessionRequest, Sessions, Turn};

const START: MonoTime = MonoTime(0);

fn key(partition: i32) -> InterestKey {
    InterestKey { topic: Str::from_static("t"), topic_id: Uuid::ZERO, partition }
}

fn interests(partitions: std::ops::Range<i32>) -> Interests {
    let interest = |offset| Interest {
        fetch_offset: offset,
        max_bytes: 1,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        told: None,
    };
    partitions.map(|partition| (key(partition), interest(0))).collect()
}

fn request(id: i32, epoch: i32) -> SessionRequest {
    SessionRequest {
        id,
        epoch,
        uses_topic_ids: false,
        added: Interests::new(),
        forgotten: Vec::new(),
    }
}

fn create(sessions: &Arc<Sessions>, size: i32, now: MonoTime) -> i32 {
    let counter = std::cell::Cell::new(sessions.len() as u64 * 7);
    sessions.create(interests(0..size), false, now, || {
        counter.set(counter.get() + 1);
        counter.get()
    })
}

/// Goal: the epochs of a session are checked one by one, and a wrong one leaves it as it is.
#[test]
fn a_session_is_read_in_order() {
    let sessions = Sessions::new(10);
    let id = create(&sessions, 3, START);
    for epoch in 1..4 {
        let Ok(Turn::Next(lease)) = sessions.turn(request(id, epoch), START) else { panic!() };
        assert_eq!(lease.interests.len(), 3);
        let busy = sessions.turn(request(id, epoch + 1), START).err();
        assert_eq!(busy, Some(ErrorCode::InvalidFetchSessionEpoch));
    }
    let old = sessions.turn(request(id, 3), START).err();
    assert_eq!(old, Some(ErrorCode::InvalidFetchSessionEpoch));
    let unknown = sessions.turn(request(id + 1, 4), START).err();
    assert_eq!(unknown, Some(ErrorCode::FetchSessionIdNotFound));
    let by_id = SessionRequest { uses_topic_ids: true, ..request(id, 4) };
    assert_eq!(sessions.turn(by_id, START).err(), Some(ErrorCode::FetchSessionTopicIdError));
    assert!(sessions.turn(request(id, 4), START).is_ok());
}

/// Goal: partitions come and go, and a session without any is closed.
#[test]
fn interests_change() {
    let sessions = Sessions::new(10);
    let id = create(&sessions, 2, START);
    let change =
        SessionRequest { added: interests(1..4), forgotten: vec![key(0)], ..request(id, 1) };
    let Ok(Turn::Next(lease)) = sessions.turn(change, START) else { panic!() };
    let partitions: Vec<i32> = lease.interests.keys().map(|key| key.partition).collect();
    assert_eq!(partitions, [1, 2, 3]);
    drop(lease);
    let all = SessionRequest { forgotten: (1..4).map(key).collect(), ..request(id, 2) };
    assert!(matches!(sessions.turn(all, START), Ok(Turn::Alone(none)) if none.is_empty()));
    assert_eq!(sessions.len(), 0);
}

/// Goal: a full cache refuses, until a session is out of use or a larger one asks.
#[test]
fn the_cache_is_bounded() {
    let sessions = Sessions::new(2);
    let first = create(&sessions, 5, START);
    create(&sessions, 5, START);
    assert_eq!(create(&sessions, 9, START), NO_SESSION);
    let later = START + Duration::from_secs(121);
    drop(sessions.turn(request(first, 1), later).unwrap());
    let third = create(&sessions, 1, later);
    assert_ne!(third, NO_SESSION, "the unused one goes");
    assert_eq!(create(&sessions, 4, later), NO_SESSION);
    assert_ne!(create(&sessions, 6, later), NO_SESSION, "the smaller old one goes");
    assert_eq!(sessions.len(), 2);
    assert!(sessions.turn(request(first, 2), later).is_err());
}

/// Goal: closing, by the client or by a new beginning, forgets the session even while it is used.
#[test]
fn a_client_closes_its_session() {
    for epoch in [-1, 0] {
        let sessions = Sessions::new(2);
        let id = create(&sessions, 1, START);
        let lease = sessions.turn(request(id, 1), START).unwrap();
        sessions.turn(request(id, epoch), START).unwrap();
        drop(lease);
        assert_eq!(sessions.len(), 0);
    }
}
