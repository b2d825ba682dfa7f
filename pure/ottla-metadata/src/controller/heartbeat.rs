//! BrokerHeartbeat: a broker says that it is there, what it wants and what it has lost, and is told
//! what it may be.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};

use super::refusal::Refusal;
use super::{Decision, Reply, Soft, fencing};
use crate::image::{Broker, MetadataImage};
use crate::record::MetadataRecord;

/// What a broker is, and may be next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Fenced,
    Unfenced,
    ControlledShutdown,
    /// It may stop at once, and is fenced.
    ShutdownNow,
}

/// What decides over the next state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) wants_fence: bool,
    pub(super) wants_shutdown: bool,
    /// The broker has applied its own registration, and its process is not on its way out.
    pub(super) may_serve: bool,
    pub(super) leads_something: bool,
    /// Every active broker has applied what the shutdown brought about.
    pub(super) others_know: bool,
}

impl State {
    fn of(broker: &Broker, is_shutting_down: bool) -> Self {
        match (broker.fenced, is_shutting_down) {
            (true, _) => Self::Fenced,
            (false, true) => Self::ControlledShutdown,
            (false, false) => Self::Unfenced,
        }
    }

    /// The table of Kafka's controller.
    pub(super) fn next(self, wish: Wish) -> Self {
        match self {
            Self::Fenced if wish.wants_shutdown => Self::ShutdownNow,
            Self::Fenced if !wish.wants_fence && wish.may_serve => Self::Unfenced,
            Self::Fenced => Self::Fenced,
            Self::Unfenced if wish.wants_fence && wish.wants_shutdown => Self::ShutdownNow,
            Self::Unfenced if wish.wants_fence => Self::Fenced,
            Self::Unfenced if wish.wants_shutdown && wish.leads_something => {
                Self::ControlledShutdown
            }
            Self::Unfenced if wish.wants_shutdown => Self::ShutdownNow,
            Self::Unfenced => Self::Unfenced,
            Self::ControlledShutdown if wish.leads_something || !wish.others_know => {
                Self::ControlledShutdown
            }
            Self::ControlledShutdown | Self::ShutdownNow => Self::ShutdownNow,
        }
    }

    fn is_fenced(self) -> bool {
        matches!(self, Self::Fenced | Self::ShutdownNow)
    }
}

pub(super) fn heartbeat(
    image: &MetadataImage,
    soft: &mut Soft,
    now_ms: i64,
    request: &BrokerHeartbeatRequest,
) -> Decision {
    let broker = match registered(image, request.broker_id, request.broker_epoch) {
        Ok(broker) => broker,
        Err(refusal) => return Decision::answer(Reply::Refused(refusal)),
    };
    let id = broker.id;
    let offset = request.current_metadata_offset;
    let shutdown_offset = soft.sessions.shutdown_offset(id);
    let is_caught_up = offset >= broker.epoch;
    let state = State::of(broker, shutdown_offset.is_some());
    let mut records = directories(image, soft, broker, request);
    // One thing at a time: what the loss of a directory brings about must be seen first.
    let next = if records.is_empty() {
        let lowest = soft.sessions.lowest_active_offset(&image.brokers);
        state.next(Wish {
            wants_fence: request.want_fence,
            wants_shutdown: request.want_shut_down,
            may_serve: is_caught_up && !broker.in_controlled_shutdown,
            leads_something: image.topics.led_count(id) > 0,
            others_know: shutdown_offset.is_none_or(|offset| offset <= lowest),
        })
    } else {
        state
    };
    if next != state {
        change(image, soft, broker, next, &mut records);
    }
    soft.sessions.touch(id, now_ms, offset, next.is_fenced());
    if next == State::ShutdownNow {
        soft.sessions.end(id);
    }
    if next == State::ControlledShutdown {
        // What must be known before the broker may stop is what this very step writes.
        soft.sessions.begin_shutdown(id, image.next_offset + records.len() as i64 - 1);
    }
    let response = BrokerHeartbeatResponse {
        is_caught_up,
        is_fenced: next.is_fenced(),
        should_shut_down: next == State::ShutdownNow,
        ..Default::default()
    };
    Decision { records, reply: Reply::BrokerHeartbeat(response) }
}

/// See [`super::Command::BrokerLost`]. A later life of the broker, or one that runs in this process,
/// is not meant.
pub(super) fn lost(image: &MetadataImage, soft: &mut Soft, id: i32, epoch: i64) -> Decision {
    let mut records = Vec::new();
    if let Ok(broker) = registered(image, id, epoch)
        && !broker.fenced
        && !soft.sessions.is_own(id)
    {
        soft.sessions.end(id);
        fencing::fence(image, soft, broker, &mut records);
    }
    Decision { records, reply: Reply::Done }
}

fn change(
    image: &MetadataImage,
    soft: &mut Soft,
    broker: &Broker,
    next: State,
    records: &mut Vec<MetadataRecord>,
) {
    match next {
        // Fenced it is already, if it was.
        State::ShutdownNow if broker.fenced => {}
        State::Fenced | State::ShutdownNow => fencing::fence(image, soft, broker, records),
        State::Unfenced => fencing::unfence(image, soft, broker, records),
        State::ControlledShutdown => fencing::begin_shutdown(image, soft, broker, records),
    }
}

/// What the broker says of its log directories, where that is news.
fn directories(
    image: &MetadataImage,
    soft: &Soft,
    broker: &Broker,
    request: &BrokerHeartbeatRequest,
) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    if image.features.has_directories() {
        fencing::lose_directories(image, soft, broker, &request.offline_log_dirs, &mut records);
    }
    if let Some(cordoned) = &request.cordoned_log_dirs
        && image.features.has_cordoned_directories()
        && *cordoned != broker.cordoned_log_dirs
    {
        let change = fencing::change(broker.id, broker.epoch, |record| {
            record.cordoned_log_dirs = Some(cordoned.clone());
        });
        records.push(change.into());
    }
    records
}

/// The broker that speaks, if it is the life of it that is registered.
pub(super) fn registered(image: &MetadataImage, id: i32, epoch: i64) -> Result<&Broker, Refusal> {
    let stale = |message| Err(Refusal::new(ErrorCode::StaleBrokerEpoch, message));
    match image.brokers.get(id) {
        None => stale(format!("No broker registration found for broker id {id}")),
        Some(broker) if broker.epoch != epoch => {
            let expected = broker.epoch;
            stale(format!("Expected broker epoch {expected}, but got broker epoch {epoch}"))
        }
        Some(broker) => Ok(broker),
    }
}
