//! One shard with its log behind one short lock. The order in the log is the order of decisions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ottla_coordinator::{Command, Completion, Decision, Now, Reply, Shard, Soft, Token};
use ottla_env::Env;
use ottla_protocol::ErrorCode;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::batch::batch;
use crate::log::{AppendError, AppendOptions, DataDir};
use crate::partition::registry::Partition;

/// An answer, or the error the API's handler puts in one.
pub(super) type Answer = Result<Reply, ErrorCode>;

/// A shard that serves.
pub(super) struct Room<E: Env> {
    partition: Arc<Partition<E>>,
    state: Mutex<State>,
    /// The soft state's next deadline, to be read without the lock.
    deadline: AtomicI64,
    next_token: AtomicU64,
}

struct State {
    shard: Shard,
    soft: Soft,
    /// Where the last append of this shard ends in the write-ahead log.
    last_lsn: u64,
    /// The other end is held by the task that asked.
    waiting: HashMap<Token, oneshot::Sender<Answer>>,
}

/// What a step leaves to be done without the lock: wait for `lsn`, then answer.
struct Settled {
    lsn: u64,
    answers: Vec<(oneshot::Sender<Answer>, Reply)>,
    /// No one but the caller waits for any of them.
    only_own: bool,
}

impl<E: Env> Room<E> {
    pub(super) fn new(env: &E, partition: Arc<Partition<E>>, shard: Shard) -> Self {
        let mut soft = Soft::default();
        let _nobody_waits_yet = shard.start(&mut soft, now(env));
        let deadline = AtomicI64::new(soft.deadline().unwrap_or(i64::MAX));
        let state = State { shard, soft, last_lsn: 0, waiting: HashMap::new() };
        Self { partition, state: Mutex::new(state), deadline, next_token: AtomicU64::new(0) }
    }

    /// The monotonic millisecond at which a timer is due.
    pub(super) fn deadline(&self) -> i64 {
        self.deadline.load(Ordering::SeqCst)
    }

    /// Asks, and returns where the answer will arrive.
    pub(super) async fn ask(
        &self,
        env: &E,
        data_dir: &DataDir<E>,
        command: impl FnOnce(Token) -> Command,
    ) -> oneshot::Receiver<Answer> {
        let token = Token(self.next_token.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        self.step(env, data_dir, command(token), Some((token, sender))).await;
        receiver
    }

    /// Tells the machine something that nobody waits for.
    pub(super) async fn tell(&self, env: &E, data_dir: &DataDir<E>, command: Command) {
        self.step(env, data_dir, command, None).await;
    }

    /// Fires the earliest due timer, if there is one.
    pub(super) async fn fire(&self, env: &E, data_dir: &DataDir<E>) {
        self.tell(env, data_dir, Command::Timeout).await;
    }

    async fn step(
        &self,
        env: &E,
        data_dir: &DataDir<E>,
        command: Command,
        asked: Option<(Token, oneshot::Sender<Answer>)>,
    ) {
        if may_append(&command) {
            data_dir.room().await;
        }
        let Settled { lsn, answers, only_own } = self.decide(env, command, asked);
        if answers.is_empty() {
            return;
        }
        if data_dir.durable() >= lsn && data_dir.failed().is_none() {
            return give(answers, true);
        }
        if only_own {
            return give(answers, data_dir.wait_durable(lsn).await.is_ok());
        }
        // Others wait too: they are answered even if the caller goes away in the middle.
        let data_dir = data_dir.clone();
        let wait = async move { give(answers, data_dir.wait_durable(lsn).await.is_ok()) };
        env.spawn("group answers", wait);
    }

    /// Decide, append, replay: the part under the lock.
    fn decide(
        &self,
        env: &E,
        command: Command,
        asked: Option<(Token, oneshot::Sender<Answer>)>,
    ) -> Settled {
        let own = asked.as_ref().map(|(token, _)| *token);
        let mut state = self.state.lock();
        state.waiting.extend(asked);
        let now = now(env);
        let State { shard, soft, .. } = &mut *state;
        let mut decision = shard.handle(soft, now, command);
        if let Err(error) = self.write(&mut state, now, &decision) {
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
        Settled { lsn: state.last_lsn, answers, only_own }
    }

    fn write(&self, state: &mut State, now: Now, decision: &Decision) -> Result<(), AppendError> {
        if decision.records.is_empty() {
            return Ok(());
        }
        let options = AppendOptions::coordinator(self.partition.leader_epoch(), now.wall_ms);
        let batch = batch(&decision.records, now.wall_ms);
        self.partition.watchers.appending(batch.len());
        let appended = self.partition.log.append(batch, &options)?;
        for (offset, record) in (appended.base_offset..).zip(&decision.records) {
            state.shard.replay(offset, -1, record).expect("the machine reads what it wrote");
        }
        state.last_lsn = state.last_lsn.max(appended.lsn);
        Ok(())
    }
}

/// Nothing of the decision happened: everyone it concerns is told so, and its groups go back to what
/// is in the log.
fn revert(state: &mut State, now: Now, decision: Decision, error: &AppendError) -> Decision {
    let code = append_error(error);
    if !matches!(error, AppendError::Busy) {
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

/// Where the log failed, what it holds may be gone: another coordinator has to say.
fn give(answers: Vec<(oneshot::Sender<Answer>, Reply)>, durable: bool) {
    for (sender, reply) in answers {
        let answer = if durable { Ok(reply) } else { Err(ErrorCode::NotCoordinator) };
        // The asking task may be gone, its connection closed.
        let _gone = sender.send(answer);
    }
}

/// Heartbeats and reads go on while writers wait for room.
fn may_append(command: &Command) -> bool {
    !matches!(
        command,
        Command::Heartbeat { .. }
            | Command::OffsetFetch { .. }
            | Command::ListGroups { .. }
            | Command::DescribeGroups { .. }
            | Command::Revert { .. }
            | Command::Unload
    )
}

/// Both clocks.
pub(super) fn now<E: Env>(env: &E) -> Now {
    let mono_ms = i64::try_from(env.now().as_millis()).unwrap_or(i64::MAX);
    Now { mono_ms, wall_ms: env.wall_ms() }
}
