//! One shard with its log behind one short lock. The order in the log is the order of decisions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use ottla_coordinator::{Command, Completion, Decision, Now, Reply, Shard, Soft, Token};
use ottla_env::Env;
use ottla_plant::{Plant, planted};
use ottla_protocol::{ErrorCode, Str, Uuid};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use super::batch::batch;
use super::committed::{Appends, committed, led_in};
use crate::log::{AppendError, AppendOptions, DataDirs};
use crate::partition::registry::Partition;

/// How long to wait for a notice that the log has room before looking for oneself.
const ROOM_PAUSE: Duration = Duration::from_millis(100);

/// An answer, or the error the API's handler puts in one.
pub(super) type Answer = Result<Reply, ErrorCode>;

/// A partition that this node leads in an epoch.
pub(super) struct Led<E: Env> {
    pub(super) partition: Arc<Partition<E>>,
    pub(super) epoch: i32,
    /// How long an answer waits until its records are committed.
    pub(super) commit_limit: Duration,
}

/// A shard that serves, in one epoch of its partition.
pub(super) struct Room<E: Env> {
    led: Led<E>,
    /// Held over an await only while the log has no room: then the shard has to wait as a whole.
    state: Arc<Mutex<State>>,
    /// The soft state's next deadline, to be read without the lock.
    deadline: AtomicI64,
    next_token: AtomicU64,
}

struct State {
    shard: Shard,
    soft: Soft,
    /// The last append; every answer waits for it.
    appends: Appends,
    /// The partition is led elsewhere, or in a newer epoch: nothing is decided here any more.
    closed: bool,
    /// The other end is held by the task that asked.
    waiting: BTreeMap<Token, oneshot::Sender<Answer>>,
}

/// What a step leaves to be done without the lock: wait for the appends, then answer.
struct Settled {
    appends: Appends,
    answers: Vec<(oneshot::Sender<Answer>, Reply)>,
    /// No one but the caller waits for any of them.
    only_own: bool,
}

impl<E: Env> Room<E> {
    /// A shard that was read up to `log_end`.
    pub(super) fn new(env: &E, led: Led<E>, shard: Shard, log_end: i64) -> Self {
        let mut soft = Soft::default();
        let _nobody_waits_yet = shard.start(&mut soft, now(env));
        let deadline = AtomicI64::new(soft.deadline().unwrap_or(i64::MAX));
        let appends = Appends { epoch: led.epoch, offset: log_end - 1 };
        let state = State { shard, soft, appends, closed: false, waiting: BTreeMap::new() };
        let state = Arc::new(Mutex::new(state));
        Self { led, state, deadline, next_token: AtomicU64::new(0) }
    }

    /// Whether its log is still the replica: it may have been moved to another directory.
    pub(super) fn is_of(&self, partition: &Partition<E>) -> bool {
        std::ptr::eq(Arc::as_ptr(&self.led.partition), partition)
    }

    /// The monotonic millisecond at which a timer is due.
    pub(super) fn deadline(&self) -> i64 {
        self.deadline.load(Ordering::SeqCst)
    }

    /// The topics that anything is committed for.
    pub(super) async fn topics(&self) -> Vec<(Str, Uuid)> {
        self.state.lock().await.shard.hard().offsets().topics().cloned().collect()
    }

    /// Asks, and returns where the answer will arrive.
    pub(super) async fn ask(
        self: &Arc<Self>,
        env: &E,
        data_dirs: &DataDirs<E>,
        command: impl FnOnce(Token) -> Command,
    ) -> oneshot::Receiver<Answer> {
        let token = Token(self.next_token.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        self.step(env, data_dirs, command(token), Some((token, sender))).await;
        receiver
    }

    /// Tells the machine something that nobody waits for.
    pub(super) async fn tell(self: &Arc<Self>, env: &E, data_dirs: &DataDirs<E>, command: Command) {
        self.step(env, data_dirs, command, None).await;
    }

    /// Everyone who waits here is sent to another coordinator, and so is who comes later.
    pub(super) async fn close(&self, env: &E) {
        let mut state = self.state.lock().await;
        let State { shard, soft, waiting, closed, .. } = &mut *state;
        *closed = true;
        // It decides nothing but who is to go.
        let _no_records = shard.handle(soft, now(env), Command::Unload);
        for sender in std::mem::take(waiting).into_values() {
            // The asking task may be gone.
            let _gone = sender.send(Err(ErrorCode::NotCoordinator));
        }
        self.deadline.store(i64::MAX, Ordering::SeqCst);
    }

    /// Fires the earliest due timer, if there is one.
    pub(super) async fn fire(self: &Arc<Self>, env: &E, data_dirs: &DataDirs<E>) {
        self.tell(env, data_dirs, Command::Timeout).await;
    }

    /// One command, and every answer it leads to. Once decided it is carried out and others are
    /// answered, even if the caller goes away in the middle.
    async fn step(
        self: &Arc<Self>,
        env: &E,
        data_dirs: &DataDirs<E>,
        command: Command,
        asked: Option<(Token, oneshot::Sender<Answer>)>,
    ) {
        let own = asked.as_ref().map(|(token, _)| *token);
        let mut state = Arc::clone(&self.state).lock_owned().await;
        if state.closed {
            if let Some((_, sender)) = asked {
                // The asking task may be gone.
                let _gone = sender.send(Err(ErrorCode::NotCoordinator));
            }
            return;
        }
        state.waiting.extend(asked);
        let now = now(env);
        let State { shard, soft, .. } = &mut *state;
        let decision = shard.handle(soft, now, command);
        let written = self.write(&mut state, now, &decision);
        if let Err(AppendError::Busy) = written {
            let late = Arc::clone(self).write_late(env.clone(), data_dirs.clone(), state, decision);
            env.spawn("group write", late);
            return;
        }
        let settled = self.settle(state, now, decision, written, own);
        if settled.only_own {
            self.answer(env, settled).await;
        } else {
            let (room, world) = (Arc::clone(self), env.clone());
            let answers = async move { room.answer(&world, settled).await };
            env.spawn("group answers", answers);
        }
    }

    /// The log had no room: everyone waits until it has.
    async fn write_late(
        self: Arc<Self>,
        env: E,
        data_dirs: DataDirs<E>,
        mut state: OwnedMutexGuard<State>,
        decision: Decision,
    ) {
        loop {
            // A notice may have come before this task listened.
            let _noticed_or_not = env.timeout(ROOM_PAUSE, data_dirs.room()).await;
            let now = now(&env);
            let written = self.write(&mut state, now, &decision);
            if let Err(AppendError::Busy) = written {
                continue;
            }
            let settled = self.settle(state, now, decision, written, None);
            return self.answer(&env, settled).await;
        }
    }

    /// The end of a step's part under the lock.
    fn settle(
        &self,
        mut state: OwnedMutexGuard<State>,
        now: Now,
        mut decision: Decision,
        written: Result<(), AppendError>,
        own: Option<Token>,
    ) -> Settled {
        if let Err(error) = written {
            decision = revert(&mut state, now, decision, &error);
        }
        let only_own = decision.completions.iter().all(|completion| Some(completion.token) == own);
        let answers = decision.completions.into_iter().filter_map(|completion| {
            let Completion { token, reply } = completion;
            Some((state.waiting.remove(&token)?, reply))
        });
        let answers = answers.collect();
        self.deadline.store(state.soft.deadline().unwrap_or(i64::MAX), Ordering::SeqCst);
        // An answer may rest on what an earlier command appended.
        Settled { appends: state.appends, answers, only_own }
    }

    /// Append and replay, in one go.
    fn write(&self, state: &mut State, now: Now, decision: &Decision) -> Result<(), AppendError> {
        if decision.records.is_empty() {
            return Ok(());
        }
        let Led { partition, epoch, .. } = &self.led;
        if led_in(partition) != Some(*epoch) {
            let message = "the partition is led elsewhere".to_owned();
            let code = ErrorCode::NotLeaderOrFollower;
            return Err(AppendError::Refused { code, message, record_errors: Vec::new() });
        }
        let options = AppendOptions::coordinator(*epoch, now.wall_ms);
        let batch = batch(&decision.records, now.wall_ms);
        partition.watchers().appending(batch.len());
        let appended = partition.log.append(batch, &options)?;
        for (offset, record) in (appended.base_offset..).zip(&decision.records) {
            state.shard.replay(offset, -1, record).expect("the machine reads what it wrote");
        }
        state.appends = Appends { epoch: *epoch, offset: appended.last_offset };
        Ok(())
    }

    /// Answers once everything the answers rest on is committed.
    async fn answer(&self, env: &E, settled: Settled) {
        if settled.answers.is_empty() {
            return;
        }
        let waited = match planted(Plant::GroupAnsweredEarly) {
            true => Ok(()),
            false => {
                let Led { partition, commit_limit, .. } = &self.led;
                committed(env, partition, settled.appends, *commit_limit).await
            }
        };
        for (sender, reply) in settled.answers {
            // The asking task may be gone, its connection closed.
            let _gone = sender.send(waited.map(|()| reply));
        }
    }
}

/// Nothing of the decision happened: everyone it concerns is told so, and its groups go back to what
/// is in the log.
fn revert(state: &mut State, now: Now, decision: Decision, error: &AppendError) -> Decision {
    let code = append_error(error);
    let is_elsewhere = error.kafka_code() == ErrorCode::NotLeaderOrFollower;
    if !matches!(error, AppendError::Busy) && !is_elsewhere {
        tracing::warn!(%error, "cannot write to the offsets topic");
    }
    let mut groups = decision.groups;
    groups.sort_unstable();
    groups.dedup();
    let command = Command::Revert { groups, error: code };
    let State { shard, soft, waiting, .. } = state;
    let reverted = shard.handle(soft, now, command);
    for completion in decision.completions {
        if let Some(sender) = waiting.remove(&completion.token) {
            // The asking task may be gone.
            let _gone = sender.send(Err(code));
        }
    }
    reverted
}

/// Kafka's translation, so that clients look for the coordinator again and retry.
fn append_error(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Busy => ErrorCode::CoordinatorNotAvailable,
        AppendError::Deleted | AppendError::Failed(_) => ErrorCode::NotCoordinator,
        AppendError::Refused { code, .. } => match code {
            ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => {
                ErrorCode::NotCoordinator
            }
            ErrorCode::UnknownTopicOrPartition
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
            _ => ErrorCode::UnknownServerError,
        },
    }
}

/// Both clocks.
pub(super) fn now<E: Env>(env: &E) -> Now {
    let mono_ms = i64::try_from(env.now().as_millis()).unwrap_or(i64::MAX);
    Now { mono_ms, wall_ms: env.wall_ms() }
}
