use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::task::{Context, Waker};

use super::{Gate, Limits};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn limits(total: usize, per_ip: usize) -> Limits {
    Limits { total, per_ip, per_ip_overrides: BTreeMap::from([(AWAY, 1)]) }
}

/// Goal: an address gets what it may have and no more, and a pass that is dropped is free again.
#[test]
fn an_address_has_its_own_limit() {
    let gate = Gate::new(limits(10, 2));
    let first = gate.enter(HOME);
    assert!(first.is_some());
    let second = gate.enter(HOME);
    assert!(second.is_some());
    assert!(gate.enter(HOME).is_none());
    let away = gate.enter(AWAY);
    assert!(away.is_some());
    assert!(gate.enter(AWAY).is_none(), "the override is lower");
    drop(first);
    assert!(gate.enter(HOME).is_some());
    assert_eq!(gate.count(), 2);
}

/// Goal: the listener waits at the total and goes on when somebody leaves.
#[test]
fn the_listener_waits_for_room() {
    let gate = Gate::new(limits(1, 5));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(gate.has_room()).poll(&mut cx).is_ready());
    let pass = gate.enter(HOME);
    let mut room = pin!(gate.has_room());
    assert!(room.as_mut().poll(&mut cx).is_pending());
    drop(pass);
    assert!(room.as_mut().poll(&mut cx).is_ready());
    assert!(pin!(gate.empty()).poll(&mut cx).is_ready());
}
