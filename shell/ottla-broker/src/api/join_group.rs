//! JoinGroup (key 11): v0-9. A member of a classic group comes or comes again; the answer waits for
//! the others. v4 asks dynamic members to learn their id first (KIP-394), v5 knows static members
//! (KIP-345), v8 gives a reason (KIP-800), v9 lets a leader keep the assignment (KIP-814).

use std::sync::Arc;

use ottla_coordinator::{Client, Command, Reply};
use ottla_env::Env;
use ottla_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use crate::rooms::Rooms;

/// From this version on there may be no protocol name in an answer.
const NULL_PROTOCOL_VERSION: i16 = 7;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    if let Some(reason) = request.reason.as_ref().filter(|reason| !reason.is_empty()) {
        let (group, member) = (&*request.group_id, &*request.member_id);
        tracing::debug!(group, member, reason = &**reason, "a member joins");
    }
    let client = Client {
        client_id: Str::copy_from(context.client_id()),
        client_host: Str::from(context.client_host()),
    };
    let member_suffix = random_uuid(&rooms.env);
    let version = context.version;
    let (group_id, member_id) = (request.group_id.clone(), request.member_id.clone());
    let asked = rooms.groups.ask(&group_id, |token| Command::JoinGroup {
        token,
        client,
        version,
        member_suffix,
        request,
    });
    let response = match asked.await {
        Ok(Reply::JoinGroup(response)) => response,
        Ok(_) => failed(member_id, ErrorCode::UnknownServerError),
        Err(error) => failed(member_id, error),
    };
    fit(response, version)
}

fn failed(member_id: Str, error: ErrorCode) -> JoinGroupResponse {
    let error_code = error.code();
    JoinGroupResponse { member_id, error_code, protocol_name: None, ..Default::default() }
}

fn fit(mut response: JoinGroupResponse, version: i16) -> JoinGroupResponse {
    if version < NULL_PROTOCOL_VERSION {
        response.protocol_name.get_or_insert_default();
    }
    response
}

/// A version 4 UUID in the spelling that Java gives it in member ids.
fn random_uuid<E: Env>(env: &E) -> Str {
    let mut bytes = [0; 16];
    env.fill_random(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(digit.into(), 16).expect("four bits are a digit"));
        }
    }
    Str::from(text)
}
