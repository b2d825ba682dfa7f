//! Entry point for the fuzz target of a whole connection: bytes as a peer may send them, cut into
//! reads as a network may cut them. Nothing here is called by a broker.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ottla_env::sim::SimEnv;
use ottla_protocol::messages::*;
use ottla_protocol::{ApiKey, Request, decode_request};

use crate::api::context::RequestContext;
use crate::api::dispatch;
use crate::api::principal::Principal;
use crate::net::budget::Budget;
use crate::net::intake::Intake;
use crate::net::pool::Pool;

/// `socket.request.max.bytes` of the connections made here.
const FRAME_MAX: usize = 1 << 20;
/// What all connections of the node may hold.
const BUDGET: usize = 1 << 20;

/// Receives `bytes` in reads of at most `step` bytes and reads every request in them, until the
/// connection would be closed. Answers with the number of requests that were read whole.
///
/// # Panics
/// If the room for a read is larger than what has arrived allows.
pub fn connection(bytes: &[u8], step: usize) -> usize {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let mut context = RequestContext {
        version: 0,
        correlation_id: 0,
        client_id: None,
        client_software: None,
        peer,
        local: peer,
        listener: Arc::from("PLAINTEXT"),
        is_controller: false,
        principal: Principal::anonymous(),
        heartbeats_of: None,
        undecided: None,
    };
    let mut intake = Intake::new(Arc::new(Pool::default()), Budget::new(BUDGET));
    let mut rest = bytes;
    let mut whole = 0;
    while !rest.is_empty() {
        {
            let mut room = pin!(intake.room(FRAME_MAX));
            let Poll::Ready(room) = room.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            else {
                return whole;
            };
            let Ok(room) = room else { return whole };
            let free = room.capacity() - room.len();
            assert!(free > 0, "there is room for a read");
            let count = free.min(step.max(1)).min(rest.len());
            room.extend_from_slice(&rest[..count]);
            rest = &rest[count..];
        }
        loop {
            let Ok(next) = intake.next_frame(FRAME_MAX) else { return whole };
            let Some(frame) = next else { break };
            let Ok(request) = dispatch::request::<SimEnv>(frame.bytes, &mut context) else {
                return whole;
            };
            if !body(request.row.key, context.version, request.body) {
                return whole;
            }
            whole += 1;
        }
        intake.park();
    }
    whole
}

/// Whether the body is what its API and version say.
fn body(key: ApiKey, version: i16, bytes: Bytes) -> bool {
    macro_rules! each {
        ($request:ident) => {
            if key == <$request as Request>::KEY {
                return decode_request::<$request>(bytes, version).is_ok();
            }
        };
    }
    ottla_protocol::for_each_request!(each);
    false
}
