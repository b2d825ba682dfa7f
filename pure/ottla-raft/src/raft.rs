//! One replica of the metadata quorum. Read [`Raft::handle`] first: every event goes through it.

mod fetch;
mod follow;
mod lead;
mod poll;
mod quorum_epoch;
mod transition;
mod upgrade;
mod vote;
mod voter_change;

use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;

use crate::action::{Action, Event};
use crate::election::ElectionState;
use crate::log_view::LogView;
use crate::message::{Answer, Request, Response};
use crate::offset::OffsetAndEpoch;
use crate::peers::Peers;
use crate::random::Random;
use crate::replica::{Endpoint, Endpoints, NodeId, ReplicaKey};
use crate::role::{Follower, Replicas, Role, RoleName};
use crate::settings::Settings;
use crate::voters::{VoterHistory, VoterSet};
use voter_change::Wish;

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
    /// The `kraft.version`s that this node speaks, lowest and highest.
    pub kraft_versions: (i16, i16),
    /// `controller.quorum.auto.join.enable`, on a controller.
    pub auto_join: bool,
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
    kraft_versions: (i16, i16),
    auto_join: bool,
    wish: Wish,
    role: Role,
    /// The highest high watermark this replica knew of.
    committed: i64,
    /// How far this node's state machine has come.
    applied: i64,
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
            applied: 0,
            log: start.log,
            voters,
            kraft_versions: start.kraft_versions,
            auto_join: start.auto_join,
            wish: Wish::default(),
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
                Request::AddVoter(add) => self.add_voter_requested(now_ms, token, add, out),
                Request::RemoveVoter(remove) => {
                    self.remove_voter_requested(now_ms, token, &remove, out);
                }
                Request::UpdateVoter(update) => {
                    self.update_voter_requested(now_ms, token, update, out);
                }
            },
            Event::Response { correlation, response, .. }
                if self.wish.correlation == Some(correlation) =>
            {
                self.wish_answered(now_ms, &response, out);
            }
            Event::Response { from, correlation, response } => {
                let old = planted(Plant::OldAnswerTaken) && matches!(response, Response::Fetch(_));
                if self.peers.answered(from, correlation) || old {
                    self.response(now_ms, from, response, out);
                }
            }
            Event::Durable { at } => self.durable(now_ms, at, out),
            Event::SnapshotInstalled { snapshot, voters } => {
                self.snapshot_installed(now_ms, snapshot, voters, out);
            }
            Event::SnapshotRefused { snapshot } => self.snapshot_refused(snapshot),
            Event::SnapshotTaken { snapshot, log_start } => {
                self.log.take_snapshot(snapshot, log_start);
            }
            Event::Applied { offset } => self.applied(offset),
            Event::Upgrade { token, version, dry } => {
                self.upgrade(now_ms, token, version, dry, out);
            }
            Event::Resign => self.resign(now_ms, out),
        }
        self.poll(now_ms, out);
    }

    /// When [`Event::Tick`] is due, if nothing happens before.
    pub fn deadline_ms(&self) -> i64 {
        let role = if self.has_role_timer() { self.role.due_ms() } else { i64::MAX };
        let role = match &self.role {
            Role::Follower(Follower { quiet_until_ms: Some(quiet_ms), .. }) => role.min(*quiet_ms),
            _ => role,
        };
        let role = role.min(self.wish_due_ms());
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

    /// The voters as the log says below `offset`; nothing while the configuration says it.
    pub fn voters_at(&self, offset: i64) -> Option<&VoterSet> {
        self.voters.at(offset)
    }

    /// The feature level of the quorum itself: 1 once the log says who votes (KIP-853).
    pub fn kraft_version(&self) -> i16 {
        i16::from(self.voters.latest_offset().is_some())
    }

    /// Everything below is committed, as far as this replica knows.
    pub fn committed(&self) -> i64 {
        self.committed
    }

    /// The offset of this epoch's first record, while this replica leads.
    pub fn epoch_start(&self) -> Option<i64> {
        match &self.role {
            Role::Leader(leader) => Some(leader.epoch_start()),
            _ => None,
        }
    }

    /// What is committed as far as this leader knows: nothing until a record of its epoch is.
    pub fn high_watermark(&self) -> Option<i64> {
        match &self.role {
            Role::Leader(leader) => leader.high_watermark,
            _ => None,
        }
    }

    /// Who has what, while this replica leads.
    pub fn replicas(&self, now_ms: i64) -> Option<Replicas> {
        match &self.role {
            Role::Leader(leader) => Some(leader.replicas(self.log.end, now_ms)),
            _ => None,
        }
    }

    /// It has resigned, and not every voter knows yet.
    pub fn is_leaving(&self) -> bool {
        matches!(&self.role, Role::Resigned { unacknowledged, .. } if !unacknowledged.is_empty())
    }

    pub fn is_voter(&self) -> bool {
        self.voters.latest().contains(&self.me)
    }

    /// Whether it may ask for votes: as a voter, or as one that is removed by a record that is not known to be committed.
    /// It may be the only one that has that record, without which nobody is elected (Ongaro 2014, §4.2.2).
    fn may_stand(&self) -> bool {
        let is_open = self.voters.latest_offset().is_some_and(|at| at >= self.committed);
        let was_voter = self.voters.before_latest().is_some_and(|set| set.contains(&self.me));
        self.is_voter() || (is_open && was_voter)
    }

    /// An observer that is no leader has nothing to time but its peers.
    fn has_role_timer(&self) -> bool {
        self.may_stand() || matches!(self.role, Role::Leader(_) | Role::Resigned { .. })
    }

    fn response(&mut self, now_ms: i64, from: NodeId, response: Response, out: &mut Vec<Action>) {
        let answered = match response {
            Response::Vote(vote) => self.vote_answered(now_ms, from, vote, out),
            Response::BeginQuorumEpoch(answer) => self.begin_answered(now_ms, answer, out),
            Response::EndQuorumEpoch(answer) => self.end_answered(now_ms, from, answer, out),
            Response::Fetch(fetch) => self.fetch_answered(now_ms, fetch, out),
            Response::FetchSnapshot(piece) => self.piece_answered(now_ms, piece, out),
            Response::Unsupported => self.vote_unsupported(now_ms, out),
            Response::Failed | Response::VoterChange(_) => false,
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
