//! What the driver's lock guards: the machine, and what it has decided that is not done yet.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use ottla_env::Env;
use ottla_protocol::ErrorCode;
use ottla_raft::message::{Answer, Request, VoteAnswer};
use ottla_raft::{Action, Event, FetchReply, OffsetAndEpoch, Raft, RoleName, Token};
use tokio::sync::oneshot;

use super::RaftDriver;

/// See the module's first line.
pub(super) struct Core {
    pub(super) raft: Raft,
    /// To be done in this order.
    pub(super) queue: VecDeque<Work>,
    /// The loop is at something it took from the queue: what comes now waits.
    pub(super) is_busy: bool,
    /// Positions of the write-ahead log, and the end of the log that is durable with them; ascending.
    pub(super) undurable: VecDeque<(u64, OffsetAndEpoch)>,
    /// Those who asked and were not answered yet.
    pub(super) askers: BTreeMap<Token, oneshot::Sender<Reply>>,
    pub(super) last_token: u64,
    /// When the loop will look at the machine's timers next.
    pub(super) alarm_ms: i64,
    /// The disk failed, or this node stops: the machine is not asked any more.
    pub(super) is_over: bool,
}

/// Something to do.
pub(super) enum Work {
    Act(Action),
    /// A batch that has its place in the log: `count` records from `base_offset` on.
    Append {
        base_offset: i64,
        epoch: i32,
        batch: Bytes,
    },
}

/// What the machine answered to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Vote(VoteAnswer),
    Plain(Answer),
    Fetch(FetchReply),
}

impl Core {
    pub(super) fn new(raft: Raft) -> Self {
        Self {
            raft,
            queue: VecDeque::new(),
            is_busy: false,
            undurable: VecDeque::new(),
            askers: BTreeMap::new(),
            last_token: 0,
            alarm_ms: i64::MAX,
            is_over: false,
        }
    }

    /// Nothing that was decided earlier is still to be done.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.is_busy
    }
}

impl<E: Env> RaftDriver<E> {
    /// One step of the machine.
    pub(super) fn step(&self, event: Event) {
        let mut core = self.core.lock();
        if core.is_over {
            return;
        }
        let mut actions = Vec::new();
        core.raft.handle(self.now_ms(), event, &mut actions);
        self.take(&mut core, actions);
    }

    /// A request of another replica, and the machine's answer. Nothing where this node stops.
    pub(super) async fn ask(&self, request: Request) -> Option<Reply> {
        self.ask_with(|token| Event::Request { token, request }).await
    }

    /// Anything else that the machine answers.
    pub(super) async fn ask_with(&self, event: impl FnOnce(Token) -> Event) -> Option<Reply> {
        let (asker, answer) = oneshot::channel();
        {
            let mut core = self.core.lock();
            if core.is_over {
                return None;
            }
            core.last_token += 1;
            let token = Token(core.last_token);
            core.askers.insert(token, asker);
            let event = event(token);
            self.note_fetch(&core, &event);
            let mut actions = Vec::new();
            core.raft.handle(self.now_ms(), event, &mut actions);
            self.take(&mut core, actions);
        }
        answer.await.ok()
    }

    /// A follower that fetches tells how far it has come.
    fn note_fetch(&self, core: &Core, event: &Event) {
        let Event::Request { request: Request::Fetch(fetch), .. } = event else { return };
        let epoch = core.raft.election().epoch;
        if core.raft.role() == RoleName::Leader && fetch.epoch == epoch {
            let untold = fetch.high_watermark == i64::MAX;
            let seen = if untold { fetch.at.offset } else { fetch.high_watermark };
            self.seen.note(fetch.replica.id.0, seen);
        }
    }

    /// Does what was decided, as far as nothing is before it and it needs no disk; the rest is the loop's.
    pub(super) fn take(&self, core: &mut Core, actions: Vec<Action>) {
        for action in actions {
            let work = Work::Act(action);
            if core.is_idle() {
                if let Some(later) = self.do_now(core, work) {
                    core.queue.push_back(later);
                }
            } else {
                core.queue.push_back(work);
            }
        }
        self.after_step(core);
    }

    /// What follows from every step, whatever it was.
    fn after_step(&self, core: &mut Core) {
        let leads = core.raft.role() == RoleName::Leader;
        self.view.send_if_modified(|view| {
            let ended = view.is_me && !leads;
            if ended {
                (view.is_me, view.leader, view.leader_address) = (false, None, None);
            }
            ended
        });
        if !core.raft.is_leaving() {
            self.farewell.notify_one();
        }
        if !core.queue.is_empty() || core.raft.deadline_ms() < core.alarm_ms {
            self.work.notify_one();
        }
    }

    /// The log up to what is durable now.
    pub(super) fn note_durable(&self) {
        let durable = self.data_dir.durable();
        let mut core = self.core.lock();
        let mut reached = None;
        while core.undurable.front().is_some_and(|(lsn, _)| *lsn <= durable) {
            reached = core.undurable.pop_front().map(|(_, at)| at);
        }
        let Some(at) = reached.filter(|_| !core.is_over) else { return };
        let mut actions = Vec::new();
        core.raft.handle(self.now_ms(), Event::Durable { at }, &mut actions);
        self.take(&mut core, actions);
    }

    /// The disk failed: what this replica knows is not to be trusted, so it takes part no more.
    pub(super) fn fail(&self, what: &dyn std::fmt::Display) {
        tracing::error!(error = %what, "the metadata log cannot be written; this node takes no part in the quorum any more");
        let mut core = self.core.lock();
        self.end(&mut core);
    }

    pub(super) fn end(&self, core: &mut Core) {
        core.is_over = true;
        core.queue.clear();
        core.askers.clear();
        self.view.send_modify(|view| {
            (view.is_me, view.leader, view.leader_address) = (false, None, None);
        });
        self.work.notify_one();
        self.drained.notify_waiters();
    }

    /// What a caller hears where the machine is over.
    pub(super) fn over(&self) -> ErrorCode {
        if self.data_dir.failed().is_some() {
            ErrorCode::KafkaStorageError
        } else {
            ErrorCode::NotController
        }
    }
}
