//! What goes into the machine and what comes out.

use bytes::Bytes;
use ottla_protocol::ErrorCode;

use crate::election::ElectionState;
use crate::message::{Answer, Batch, Request, Response, VoteAnswer};
use crate::offset::OffsetAndEpoch;
use crate::replica::{Endpoint, NodeId};
use crate::voters::VoterSet;

/// Names a request that came in, until it is answered. The driver chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Time went by; the machine looks at its timers.
    Tick,
    /// Another replica asks. `to` this very node: the driver checked cluster, topic and partition.
    Request { token: Token, request: Request },
    /// Another replica answered what was sent to it as `correlation`.
    Response { from: NodeId, correlation: u64, response: Response },
    /// The log up to `at` is on this node's stable storage. A report of before a [`Action::Truncate`] is void.
    Durable { at: OffsetAndEpoch },
    /// The snapshot that was being fetched is whole, checked and on stable storage; it sets `voters`.
    SnapshotInstalled { snapshot: OffsetAndEpoch, voters: Option<(i64, VoterSet)> },
    /// That snapshot arrived damaged: it is of no use.
    SnapshotRefused { snapshot: OffsetAndEpoch },
    /// The state machine wrote a snapshot, or old log was removed up to it.
    SnapshotTaken { snapshot: OffsetAndEpoch, log_start: i64 },
    /// This node's state machine has everything below `offset`. It goes into this replica's fetches as the high
    /// watermark it knows (KIP-1166), so that a leader can tell who has seen what.
    Applied { offset: i64 },
    /// The cluster wants the quorum at this level of `kraft.version`; `dry` only asks whether it could be.
    Upgrade { token: Token, version: i16, dry: bool },
    /// Lead no more, for instance before a shutdown.
    Resign,
}

/// What the driver has to do, in this order. [`Action::Persist`], [`Action::Truncate`] and
/// [`Action::RestartAt`] are done, on stable storage, before the next action is begun.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write the election state.
    Persist(ElectionState),
    /// This replica leads `epoch` now: append a batch with the `LeaderChange` record, at `base_offset`; and, if
    /// `first_voters` are there, the `KRaftVersion` and `Voters` records after it.
    AppendLeaderChange {
        base_offset: i64,
        epoch: i32,
        voters: Vec<NodeId>,
        granting: Vec<NodeId>,
        first_voters: Option<VoterSet>,
    },
    /// Append a batch with the `Voters` record that sets these, at `base_offset`; `is_first` has the `KRaftVersion` record
    /// before it.
    AppendVoters { base_offset: i64, epoch: i32, voters: VoterSet, is_first: bool },
    /// Append what the leader sent, as it is. Report [`Event::Durable`] once it is on stable storage.
    Append(Vec<Batch>),
    /// Remove everything at this offset and above.
    Truncate(i64),
    /// Begin (or go on with) the copy of a snapshot: these bytes at this position.
    WriteSnapshot { snapshot: OffsetAndEpoch, position: i64, bytes: Bytes, last: bool },
    /// Drop the log: it begins where the snapshot ends.
    RestartAt(OffsetAndEpoch),
    /// Send; the answer comes as [`Event::Response`], [`Response::Failed`] if there is none.
    Send { to: NodeId, endpoint: Endpoint, correlation: u64, request: Request },
    /// Answer a vote.
    ReplyVote { token: Token, reply: VoteAnswer },
    /// Answer a begin or an end of an epoch, or a change of the voters.
    Reply { token: Token, reply: Answer },
    /// Answer a fetch, or a fetch of a snapshot.
    ReplyFetch { token: Token, reply: FetchReply },
    /// Everything below is committed: the state machine may have it.
    Committed { high_watermark: i64 },
    /// The leader changed, for those who forward to it.
    LeaderChanged { epoch: i32, leader: Option<NodeId>, is_me: bool },
    /// Something that must not be: see the text. A `fatal` one means that the node must stop.
    Fault { fatal: bool, what: String },
}

/// The answer to a fetch, the records still in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchReply {
    pub answer: Answer,
    pub high_watermark: i64,
    pub log_start: i64,
    pub diverging: Option<OffsetAndEpoch>,
    pub snapshot: Option<OffsetAndEpoch>,
    pub read: Option<ReadFrom>,
}

/// What the driver reads into an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFrom {
    /// Whole batches from this offset to the end of the log; the first one even if it is larger.
    Log { offset: i64, max_bytes: i32 },
    /// A piece of a snapshot.
    Snapshot { snapshot: OffsetAndEpoch, position: i64, max_bytes: i32 },
}

impl FetchReply {
    pub fn error(&self) -> ErrorCode {
        self.answer.error
    }
}

/// An answer that has come, or that none will come.
impl Response {
    /// The part that all answers have.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Vote(vote) => Some(&vote.answer),
            Self::BeginQuorumEpoch(answer)
            | Self::EndQuorumEpoch(answer)
            | Self::VoterChange(answer) => Some(answer),
            Self::Fetch(fetch) => Some(&fetch.answer),
            Self::FetchSnapshot(piece) => Some(&piece.answer),
            Self::Failed | Self::Unsupported => None,
        }
    }
}
