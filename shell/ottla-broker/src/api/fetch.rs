//! Fetch (key 1): v4-18. Reads what is visible, or waits until `min.bytes` are.
//!
//! - v7+ (KIP-227): sessions, in which requests and answers name only what changed.
//! - v9+ (KIP-320): the reader's leader epoch is checked. v12+: where its log diverges is told.
//! - v13+ (KIP-516): topics by id. v12+ (KIP-951): who leads what is not led here; v16+: where.
//! - A follower reads all there is, in the epoch both are in and in the life of its broker that the
//!   cluster knows (v15+, KIP-903); what it asks for says how far it is. A consumer of v11+ may read
//!   from a follower (KIP-392).
//! - At least one batch is returned where there is one, however small the limits (KIP-74).
//! - Through a controller's listener: the metadata log, as the quorum's machine says (`drivers/raft`).
//! - Nothing at or above the high watermark is served; to a read-committed reader nothing at or
//!   above the last stable offset, and the aborted transactions below it are named.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::{Disk, Env, File, MonoTime};
use ottla_protocol::messages::{FetchRequest, FetchResponse};
use ottla_protocol::{ApiKey, ErrorCode, decode_request};

use super::answer::{self, Answer, Part, PartedAnswer, RequestError};
use super::context::RequestContext;
use super::fetch_response::{self, Fetched};
use crate::partition::session::{NO_SESSION, Told, Turn};
use crate::partition::watchers::{Registration, Sight, Waiter};
use crate::phase::{Phase, PhaseWatch, reached};
use crate::rooms::Rooms;

mod moved;
mod pass;
mod request;

use pass::{Pass, Reader};

/// The files whose ranges an answer may hold.
type FileOf<E> = <<E as Env>::Disk as Disk>::File;

/// Serves one request.
pub(crate) async fn serve<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    body: Bytes,
    phase: &mut PhaseWatch,
) -> Result<PartedAnswer<FileOf<E>>, RequestError> {
    let request: FetchRequest = decode_request(body, context.version)?;
    if context.is_controller {
        return metadata_log(rooms, context, &request, phase).await;
    }
    let now = rooms.env.now();
    let reader = Reader::of(&request, context.version, &rooms.config.get());
    let patience = Patience::of(&request, now);
    let turn = rooms.sessions.turn(request::session_request(request, context.version), now);
    let mut turn = match turn {
        Ok(turn) => turn,
        Err(error) => {
            let nobody = (Vec::new(), Vec::new());
            return Ok(fetch_response::encode(context, Some(error), NO_SESSION, nobody)?);
        }
    };
    let pass = read_until_enough(rooms, &reader, &patience, &mut turn, phase).await;
    note_what_is_told(&mut turn, &pass);
    let session_id = match turn {
        Turn::Alone(_) => NO_SESSION,
        Turn::First(interests, uses_topic_ids) => {
            let random = || rooms.env.random_u64();
            rooms.sessions.create(interests, uses_topic_ids, now, random)
        }
        Turn::Next(lease) => lease.id(),
    };
    let leaders = moved::nodes(rooms, context, &pass.fetched);
    Ok(fetch_response::encode(context, None, session_id, (pass.fetched, leaders))?)
}

/// Through a controller's listener there is one log to fetch, that of the metadata (KIP-595).
async fn metadata_log<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: &FetchRequest,
    phase: &mut PhaseWatch,
) -> Result<PartedAnswer<FileOf<E>>, RequestError> {
    let response = tokio::select! {
        biased;
        response = rooms.raft.fetch(request, context.version) => response,
        () = reached(phase, Phase::Draining) => FetchResponse {
            error_code: ErrorCode::BrokerNotAvailable.code(),
            ..FetchResponse::default()
        },
    };
    let Answer { chunks, length } = answer::encode(ApiKey::Fetch, context, &response)?;
    Ok(PartedAnswer { parts: chunks.into_iter().map(Part::Bytes).collect(), length })
}

/// How long a reader waits, and for how much.
struct Patience {
    min_bytes: usize,
    deadline: Option<MonoTime>,
}

impl Patience {
    fn of(request: &FetchRequest, now: MonoTime) -> Patience {
        let wait = u64::try_from(request.max_wait_ms).ok().filter(|wait| *wait > 0);
        Patience {
            min_bytes: usize::try_from(request.min_bytes).unwrap_or(0),
            deadline: wait.map(|wait| now + Duration::from_millis(wait)),
        }
    }
}

/// Reads; if that is too little, registers with every partition and reads again when woken.
async fn read_until_enough<E: Env>(
    rooms: &Arc<Rooms<E>>,
    reader: &Reader,
    patience: &Patience,
    turn: &mut Turn,
    phase: &mut PhaseWatch,
) -> Pass<FileOf<E>> {
    let pass = pass::read(rooms, reader, turn).await;
    let Some(deadline) = patience.deadline else { return pass };
    if is_enough(&pass, patience) || turn.interests().is_empty() {
        return pass;
    }
    drop(pass);
    let waiter = Arc::new(Waiter::default());
    let _registrations = register(rooms, turn, &waiter, reader.sight());
    let mut timer = rooms.env.sleep_until(deadline);
    let mut woken_early = false;
    loop {
        waiter.reset();
        let pass = pass::read(rooms, reader, turn).await;
        if is_enough(&pass, patience) {
            return pass;
        }
        // Bytes are counted when they are appended. Where they did not become visible at once, the rest
        // of them will be told of without being counted again: then any news is worth a look.
        let missing = if woken_early { 1 } else { patience.min_bytes - pass.bytes };
        tokio::select! {
            biased;
            () = waiter.arrived(i64::try_from(missing).unwrap_or(i64::MAX)) => woken_early = true,
            () = &mut timer => return pass,
            () = opened(rooms, &pass) => {}
            () = reached(phase, Phase::Draining) => return pass,
        }
    }
}

/// Until a throttle lets more pass that held this pass back; never where none did.
async fn opened<E: Env>(rooms: &Rooms<E>, pass: &Pass<FileOf<E>>) {
    match pass.closed_for.and_then(|wait| u64::try_from(wait).ok()) {
        Some(wait) => rooms.env.sleep(Duration::from_millis(wait)).await,
        None => std::future::pending().await,
    }
}

fn is_enough<F>(pass: &Pass<F>, patience: &Patience) -> bool {
    pass.bytes >= patience.min_bytes || pass.is_urgent
}

/// Places among the watchers of all partitions that are here.
fn register<E: Env>(
    rooms: &Rooms<E>,
    turn: &mut Turn,
    waiter: &Arc<Waiter>,
    sight: Sight,
) -> Vec<Registration> {
    let found = turn.interests().keys().filter_map(|key| pass::find(rooms, key).ok());
    found.map(|partition| partition.watchers().watch(waiter, sight)).collect()
}

/// Remembers in the session what this answer tells, and where the next one begins.
fn note_what_is_told<F: File>(turn: &mut Turn, pass: &Pass<F>) {
    for fetched in &pass.fetched {
        if let Some(interest) = turn.interests().get_mut(&fetched.key()) {
            interest.told = told(fetched);
        }
    }
    if let Turn::Next(lease) = turn {
        lease.start = pass.next_start;
    }
}

/// The offsets an answer tells; after an error they are told again.
fn told<F>(fetched: &Fetched<F>) -> Option<Told> {
    fetched.error.is_none().then_some(Told {
        high_watermark: fetched.high_watermark,
        log_start_offset: fetched.log_start_offset,
    })
}

/// The error of a partition that a request names and that cannot be found.
fn unknown(by_id: bool) -> ErrorCode {
    if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition }
}
