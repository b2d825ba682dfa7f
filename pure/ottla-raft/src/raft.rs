//! One replica of the metadata quorum. Read [`Raft::handle`] first: every event goes through it.

mod fetch;
mod follow;
mod lead;
mod poll;
mod quorum_epoch;
mod transition;
mod vote;

use ottla_protocol::ErrorCode;

use crate::action::{Action, Event};
use crate::election::ElectionState;
use crate::log_view::LogView;
use crate::message::{Answer, Request, Response};
use crate::offset::OffsetAndEpoch;
use crate::peers::Peers;
use crate::random::Random;
use crate::replica::{Endpoint, Endpoints, NodeId, ReplicaKey};
use crate::role::{Role, RoleName};
use crate::settings::Settings;
use crate::voters::{VoterHistory, VoterSet};

/// What a replica starts with. The election state and the log are as the disk has them.
#[derive(Debug, Clone)]
pub struct Start {
    pub me: ReplicaKey,
    /// The name of the listener that replicas speak over.
    pub listener: String,
    /// This node's own controller listeners.
    pub endpoints: Endpoints,
    pub settings: Settings,
    /// `controller.quorum.bootstrap.servers`, to find the leader by.
    pub bootstrap: Vec<Endpoint>,
    /// `controller.quorum.voters`; empty where the log says who votes.
    pub static_voters: VoterSet,
    /// The voter sets in the snapshot and the log, by the offset of their record, ascending.
    pub voters: Vec<(i64, VoterSet)>,
    pub election: ElectionState,
    pub log: LogView,
    /// Of the random part of the timers.
    pub seed: u64,
}

/// See the module's first line.
///
/// committed ≤ log end; what is committed is never cut.
#[derive(Debug, Clone)]
pub struct Raft {
    me: ReplicaKey,
    listener: String,
    endpoints: Endpoints,
    settings: Settings,
    /// Under negative ids, as their node ids are not known.
    bootstrap: Vec<(NodeId, Endpoint)>,
    election: ElectionState,
    leader_endpoints: Endpoints,
    log: LogView,
    voters: VoterHistory,
    role: Role,
    /// The highest high watermark this replica knew of.
    committed: i64,
    peers: Peers,
    random: Random,
}

impl Raft {
    /// Takes up where the disk says this replica was. Kafka's `QuorumState.initialize`.
    pub fn new(now_ms: i64, start: Start, out: &mut Vec<Action>) -> Self {
        let mut voters = VoterHistory::new(start.static_voters);
        for (offset, set) in start.voters {
            voters.add(offset, set);
        }
        let bootstrap = (2..).map(|id: i32| NodeId(-id)).zip(start.bootstrap).collect();
        let mut raft = Self {
            me: start.me,
            listener: start.listener,
            endpoints: start.endpoints,
            settings: start.settings,
            bootstrap,
            election: start.election,
            leader_endpoints: Endpoints::new(),
            committed: start.log.start,
            log: start.log,
            voters,
            role: Role::Unattached { election_due_ms: now_ms },
            peers: Peers::default(),
            random: Random::new(start.seed),
        };
        raft.take_up(now_ms, out);
        raft.poll(now_ms, out);
        raft
    }

    /// The only way in. `now_ms` never goes back.
    pub fn handle(&mut self, now_ms: i64, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Tick => {}
            Event::Request { token, request } => match request {
                Request::Vote(vote) => self.vote_requested(now_ms, token, &vote, out),
                Request::BeginQuorumEpoch(begin) => self.begin_requested(now_ms, token, begin, out),
                Request::EndQuorumEpoch(end) => self.end_requested(now_ms, token, end, out),
                Request::Fetch(fetch) => self.fetch_requested(now_ms, token, fetch, out),
                Request::FetchSnapshot(piece) => self.piece_requested(now_ms, token, &piece, out),
            },
            Event::Response { from, correlation, response } => {
                if self.peers.answered(from, correlation) {
                    self.response(now_ms, from, response, out);
                }
            }
            Event::Durable { at } => self.durable(now_ms, at, out),
            Event::SnapshotInstalled { snapshot, voters } => {
                self.snapshot_installed(now_ms, snapshot, voters, out);
            }
            Event::SnapshotTaken { snapshot, log_start } => {
                self.log.take_snapshot(snapshot, log_start);
            }
            Event::Resign => self.resign(now_ms, out),
        }
        self.poll(now_ms, out);
    }

    /// When [`Event::Tick`] is due, if nothing happens before.
    pub fn deadline_ms(&self) -> i64 {
        let role = if self.has_role_timer() { self.role.due_ms() } else { i64::MAX };
        self.peers.deadline().map_or(role, |peers| peers.min(role))
    }

    pub fn role(&self) -> RoleName {
        self.role.name()
    }

    pub fn election(&self) -> &ElectionState {
        &self.election
    }

    pub fn leader_endpoints(&self) -> &Endpoints {
        &self.leader_endpoints
    }

    pub fn log(&self) -> &LogView {
        &self.log
    }

    /// The newest voters in the log, committed or not.
    pub fn voters(&self) -> &VoterSet {
        self.voters.latest()
    }

    /// Everything below is committed, as far as this replica knows.
    pub fn committed(&self) -> i64 {
        self.committed
    }

    pub fn is_voter(&self) -> bool {
        self.voters.latest().contains(&self.me)
    }

    /// An observer that is no leader has nothing to time but its peers.
    fn has_role_timer(&self) -> bool {
        self.is_voter() || matches!(self.role, Role::Leader(_) | Role::Resigned { .. })
    }

    fn response(&mut self, now_ms: i64, from: NodeId, response: Response, out: &mut Vec<Action>) {
        let answered = match response {
            Response::Vote(vote) => self.vote_answered(now_ms, from, vote, out),
            Response::BeginQuorumEpoch(answer) => self.begin_answered(now_ms, answer, out),
            Response::EndQuorumEpoch(answer) => self.end_answered(now_ms, from, answer, out),
            Response::Fetch(fetch) => self.fetch_answered(now_ms, fetch, out),
            Response::FetchSnapshot(piece) => self.piece_answered(now_ms, piece, out),
            Response::Unsupported => self.vote_unsupported(now_ms, out),
            Response::Failed => false,
        };
        if !answered {
            self.peers.back_off(from, now_ms + self.settings.retry_backoff_ms);
        }
    }

    /// The answer to anything, as far as it says who leads.
    fn answer(&self, error: ErrorCode) -> Answer {
        Answer {
            error,
            epoch: self.election.epoch,
            leader: self.election.leader,
            endpoints: self.leader_endpoints.clone(),
        }
    }

    fn end(&self) -> OffsetAndEpoch {
        self.log.end_and_epoch()
    }
}
