//! Tells the coordinator that a member lives, and the member what the coordinator says.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::{Env, MonoTime, Task};
use ottla_protocol::messages::HeartbeatRequest;
use ottla_protocol::{ErrorCode, Str};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::client::{Client, Lane, Target};
use crate::offsets::Committer;

/// What the last heartbeats brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Pulse {
    /// The generation stands.
    #[default]
    Steady,
    /// The group rebalances: join again with what is owned.
    Rebalance,
    /// The coordinator moved.
    Moved,
    /// No longer a member: join again as a new one, with nothing.
    Lost,
    /// Another took over this static member's place.
    Fenced,
    /// The user did not poll for too long.
    Idle,
}

/// The running heartbeat of one generation.
pub(super) struct Heartbeat {
    task: Task,
    state: Arc<State>,
}

pub(super) struct State {
    pulse: Mutex<Pulse>,
    polled: Mutex<MonoTime>,
    wake: Arc<Notify>,
}

/// What a heartbeat is sent for.
pub(super) struct Beat {
    pub(super) group: Str,
    pub(super) member: Committer,
    pub(super) coordinator: i32,
    pub(super) interval: Duration,
    /// After this long without a poll the member counts as stuck.
    pub(super) idle_max: Duration,
}

impl Heartbeat {
    /// Starts beating; `wake` is told when the pulse changes.
    pub(super) fn start<E: Env>(
        client: &Client<E>,
        lane: Lane,
        beat: Beat,
        wake: Arc<Notify>,
    ) -> Heartbeat {
        let now = client.env().now();
        let pulse = Mutex::new(Pulse::Steady);
        let state = Arc::new(State { pulse, polled: Mutex::new(now), wake });
        let task = run(client.clone(), lane, beat, state.clone());
        Heartbeat { task: client.env().spawn("heartbeat", task), state }
    }

    /// The user polled.
    pub(super) fn polled(&self, now: MonoTime) {
        *self.state.polled.lock() = now;
    }

    pub(super) fn pulse(&self) -> Pulse {
        *self.state.pulse.lock()
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Beats until something is to be done about the answer.
async fn run<E: Env>(client: Client<E>, lane: Lane, beat: Beat, state: Arc<State>) {
    let request = HeartbeatRequest {
        group_id: beat.group.clone(),
        generation_id: beat.member.generation,
        member_id: beat.member.member_id.clone(),
        group_instance_id: beat.member.instance_id.clone(),
        ..HeartbeatRequest::default()
    };
    loop {
        client.env().sleep(beat.interval).await;
        let idle = client.env().now().since(*state.polled.lock());
        let pulse = if idle > beat.idle_max {
            Pulse::Idle
        } else {
            let target = Target::Broker(beat.coordinator);
            match client.call(target, lane, &request, Duration::ZERO).await {
                Ok(answer) => pulse_of(ErrorCode::from_code_or_unknown(answer.error_code)),
                Err(_) => Pulse::Moved,
            }
        };
        if pulse != Pulse::Steady {
            *state.pulse.lock() = pulse;
            state.wake.notify_one();
            return;
        }
    }
}

fn pulse_of(code: ErrorCode) -> Pulse {
    match code {
        ErrorCode::None => Pulse::Steady,
        ErrorCode::RebalanceInProgress => Pulse::Rebalance,
        ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration => Pulse::Lost,
        ErrorCode::FencedInstanceId => Pulse::Fenced,
        // Not the coordinator, loading, unavailable: ask who is.
        _ => Pulse::Moved,
    }
}
