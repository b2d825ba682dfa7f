//! Heartbeats: who is fenced and when, what a broker is told, how it stops in order.

use super::*;
use crate::controller::heartbeat::{State, Wish};

const TIMEOUT_MS: i64 = 9_000;

/// Kafka's `BrokerHeartbeatManager.calculateNextBrokerState`, row by row.
#[test]
fn the_next_state_of_a_broker() {
    use State::*;
    // state, wants fence, wants shutdown, may serve, leads, others know -> next
    let rows = [
        (Fenced, false, true, false, false, false, ShutdownNow),
        (Fenced, true, true, true, true, true, ShutdownNow),
        (Fenced, false, false, true, false, false, Unfenced),
        (Fenced, false, false, false, false, false, Fenced),
        (Fenced, true, false, true, false, false, Fenced),
        (Unfenced, true, true, true, true, false, ShutdownNow),
        (Unfenced, true, false, true, true, false, Fenced),
        (Unfenced, false, true, true, true, false, ControlledShutdown),
        (Unfenced, false, true, true, false, false, ShutdownNow),
        (Unfenced, false, false, false, true, false, Unfenced),
        (ControlledShutdown, false, true, true, true, true, ControlledShutdown),
        (ControlledShutdown, false, true, true, false, false, ControlledShutdown),
        (ControlledShutdown, false, true, true, false, true, ShutdownNow),
        (ControlledShutdown, false, false, true, false, true, ShutdownNow),
    ];
    for (row, (state, fence, shutdown, caught_up, leads, know, next)) in rows.iter().enumerate() {
        let wish = Wish {
            wants_fence: *fence,
            wants_shutdown: *shutdown,
            may_serve: *caught_up,
            leads_something: *leads,
            others_know: *know,
        };
        assert_eq!(state.next(wish), *next, "row {row}");
    }
}

#[test]
fn a_broker_is_unfenced_once_it_has_read_its_registration() {
    let mut world = World::cluster(1);
    world.register(1, 0);
    let behind = BrokerHeartbeatRequest { current_metadata_offset: 2, ..world.heartbeat(1) };
    let response = world.send(behind);
    assert!(response.is_fenced && !response.is_caught_up && !response.should_shut_down);
    assert!(world.image().brokers.get(1).unwrap().fenced);
    let response = world.beat(1);
    assert!(!response.is_fenced && response.is_caught_up);
    assert!(world.image().brokers.is_active(1));
    let length = world.log.len();
    world.beat(1);
    assert_eq!(world.log.len(), length, "a heartbeat that changes nothing writes nothing");
}

#[test]
fn a_silent_broker_is_fenced_when_its_session_times_out() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[1, 2, 0]]);
    assert_eq!(world.led("t"), (1, vec![1, 2, 0], 0));
    world.wait(TIMEOUT_MS - 1, &[0, 2]);
    assert!(world.image().brokers.is_active(1));
    world.wait(2, &[0, 2]);
    assert!(!world.image().brokers.is_active(1));
    assert_eq!(world.led("t"), (2, vec![2, 0], 1));
    // It comes back by itself, and does not take anything with it.
    assert!(!world.beat(1).is_fenced);
    assert_eq!(world.led("t"), (2, vec![2, 0], 1));
}

/// Goal: a process that is known to be gone is not waited for, and its next life is not in the way of
/// what was said of the one before.
#[test]
fn a_lost_broker_is_fenced_at_once() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[1, 2, 0]]);
    let broker_epoch = world.epoch_of(1);
    let lost = || Command::BrokerLost { broker_id: 1, broker_epoch };
    world.run(lost());
    assert!(!world.image().brokers.is_active(1));
    assert_eq!(world.led("t"), (2, vec![2, 0], 1));
    let length = world.log.len();
    world.run(lost());
    assert_eq!(world.log.len(), length, "it is fenced already");
    world.join(1, 1);
    world.run(lost());
    assert!(world.image().brokers.is_active(1), "that was another life");
}

#[test]
fn silent_brokers_are_fenced_one_at_a_time() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    world.now_ms += TIMEOUT_MS + 1;
    world.run(Command::Tick);
    let fenced = |world: &World| world.image().brokers.iter().filter(|b| b.fenced).count();
    assert_eq!(fenced(&world), 1);
    world.run(Command::Tick);
    assert_eq!(fenced(&world), 2);
    world.run(Command::Tick);
    assert_eq!(fenced(&world), 3);
    // The last of the ISR stays in it: it has what was acknowledged.
    assert_eq!(world.led("t").0, -1);
    assert_eq!(world.led("t").1, [2]);
}

#[test]
fn a_stale_epoch_is_refused() {
    let mut world = World::cluster(2);
    let refused = |world: &mut World, request| match world.run(Command::BrokerHeartbeat(request)) {
        Reply::Refused(refusal) => (refusal.code, refusal.message.unwrap().to_string()),
        other => panic!("{other:?}"),
    };
    let mut stale = world.heartbeat(1);
    stale.broker_epoch -= 1;
    let (expected, got) = (world.epoch_of(1), world.epoch_of(1) - 1);
    assert_eq!(
        refused(&mut world, stale),
        (
            ErrorCode::StaleBrokerEpoch,
            format!("Expected broker epoch {expected}, but got broker epoch {got}")
        )
    );
    let unknown = BrokerHeartbeatRequest { broker_id: 9, ..Default::default() };
    assert_eq!(
        refused(&mut world, unknown),
        (ErrorCode::StaleBrokerEpoch, "No broker registration found for broker id 9".to_owned())
    );
}

#[test]
fn a_new_controller_gives_every_broker_a_fresh_session() {
    let mut world = World::cluster(3);
    world.now_ms += TIMEOUT_MS * 10;
    world.soft = Soft::new(1, Arc::new(BrokerConfig::defaults()), [1, 2, 3, 4]);
    world.settle();
    assert_eq!(world.image().brokers.iter().filter(|broker| broker.fenced).count(), 0);
    assert_eq!(world.deadline_ms(), Some(world.now_ms + 500), "the sign of life comes first");
    world.wait(TIMEOUT_MS + 1, &[0, 1]);
    assert!(world.image().brokers.get(2).unwrap().fenced);
}

#[test]
fn a_broker_that_stops_in_order_hands_over_first() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    let response = world.want_shutdown(0);
    assert!(!response.should_shut_down && !response.is_fenced);
    let broker = world.image().brokers.get(0).unwrap().clone();
    assert!(broker.in_controlled_shutdown && !broker.fenced);
    assert_eq!(world.led("t"), (1, vec![1, 2], 1));
    // The others must know of it before it goes.
    assert!(!world.want_shutdown(0).should_shut_down);
    world.beat(1);
    assert!(!world.want_shutdown(0).should_shut_down);
    world.beat(2);
    let response = world.want_shutdown(0);
    assert!(response.should_shut_down && response.is_fenced);
    assert!(world.image().brokers.get(0).unwrap().fenced);
    // Its session is over: the next life need not wait.
    assert!(matches!(world.register(0, 1), Reply::Registered { .. }));
    let broker = world.image().brokers.get(0).unwrap();
    assert!(broker.fenced && !broker.in_controlled_shutdown);
}

#[test]
fn a_broker_that_leads_nothing_may_stop_at_once() {
    let mut world = World::cluster(2);
    world.topic_on("t", &[&[0, 1]]);
    let response = world.want_shutdown(1);
    assert!(response.should_shut_down && response.is_fenced);
    assert_eq!(world.led("t"), (0, vec![0], 0));
}

/// Only its next life is let in again: nothing else takes the mark off.
#[test]
fn a_broker_that_may_stop_is_not_unfenced_again() {
    let mut world = World::cluster(2);
    world.topic_on("t", &[&[0]]);
    world.want_shutdown(0);
    world.beat(1);
    assert!(world.want_shutdown(0).should_shut_down);
    assert!(world.beat(0).is_fenced);
    assert_eq!(world.led("t"), (-1, vec![0], 1));
    world.join(0, 1);
    assert_eq!(world.led("t"), (0, vec![0], 2));
}

#[test]
fn the_only_broker_may_stop_too() {
    let mut world = World::cluster(1);
    world.topic_on("t", &[&[0]]);
    assert!(!world.want_shutdown(0).should_shut_down);
    assert_eq!(world.led("t"), (-1, vec![0], 1));
    assert!(world.want_shutdown(0).should_shut_down);
    world.join(0, 1);
    assert_eq!(world.led("t"), (0, vec![0], 2));
}

#[test]
fn directories_are_lost_and_cordoned() {
    let mut world = World::cluster(2);
    let dirs = [Uuid::from_u128(700), Uuid::from_u128(701)];
    let mut request = registration(2);
    request.log_dirs = dirs.to_vec();
    world.run(Command::RegisterBroker { request, version: 4, unfence: false });
    world.beat(2);
    world.topic_on("t", &[&[2, 0], &[2, 0]]);
    let assigned = |world: &World, index| world.partition("t", index).directory(2).unwrap();
    assert_eq!(assigned(&world, 0), Uuid::ZERO, "which of two it will say later");
    super::assign_dirs::assign(&mut world, 2, "t", &[(0, dirs[0]), (1, dirs[1])]);
    assert_eq!((assigned(&world, 0), assigned(&world, 1)), (dirs[0], dirs[1]));

    let lost = BrokerHeartbeatRequest { offline_log_dirs: vec![dirs[0]], ..world.heartbeat(2) };
    world.send(lost);
    assert_eq!(world.image().brokers.get(2).unwrap().log_dirs, [dirs[1]]);
    assert_eq!(
        (world.partition("t", 0).leader, world.partition("t", 0).isr.to_vec()),
        (0, vec![0])
    );
    assert_eq!(world.partition("t", 1).leader, 2);

    let cordoned = |dirs: &[Uuid], world: &World| BrokerHeartbeatRequest {
        cordoned_log_dirs: Some(dirs.to_vec()),
        ..world.heartbeat(2)
    };
    let request = cordoned(&[dirs[1]], &world);
    world.send(request);
    assert!(world.image().brokers.get(2).unwrap().is_cordoned());
    let length = world.log.len();
    let request = cordoned(&[dirs[1]], &world);
    world.send(request);
    assert_eq!(world.log.len(), length, "said once");
    let request = cordoned(&[], &world);
    world.send(request);
    assert!(!world.image().brokers.get(2).unwrap().is_cordoned());
}

#[test]
fn an_idle_log_gets_a_sign_of_life_only_where_somebody_listens() {
    let mut alone = World::of(1);
    alone.settle();
    assert_eq!(alone.deadline_ms(), None, "a node on its own sleeps");
    let mut world = World::cluster(2);
    world.settle();
    let length = world.log.len();
    world.wait(2_000, &[0, 1]);
    let signs = &world.log[length..];
    assert_eq!(signs.len(), 4);
    assert!(signs.iter().all(|record| matches!(record, MetadataRecord::NoOp(_))));
}
