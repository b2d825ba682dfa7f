//! What replicas say to each other, without the frames: only what the machine decides by. The driver turns these into
//! Kafka's messages and back, after it has checked cluster id, topic and partition.

use bytes::Bytes;
use ottla_protocol::ErrorCode;

use crate::offset::OffsetAndEpoch;
use crate::replica::{Endpoints, NodeId, ReplicaKey};
use crate::voters::{Voter, VoterSet};

/// A request to another replica.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Vote(Vote),
    BeginQuorumEpoch(BeginQuorumEpoch),
    EndQuorumEpoch(EndQuorumEpoch),
    Fetch(Fetch),
    FetchSnapshot(FetchSnapshot),
    AddVoter(AddVoter),
    RemoveVoter(RemoveVoter),
    UpdateVoter(UpdateVoter),
}

/// An answer of another replica.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    Vote(VoteAnswer),
    BeginQuorumEpoch(Answer),
    EndQuorumEpoch(Answer),
    Fetch(FetchAnswer),
    FetchSnapshot(SnapshotAnswer),
    /// To a change of the voters, whichever it was: nothing but the error counts.
    VoterChange(Answer),
    /// No answer came: the connection failed, or the peer is going.
    Failed,
    /// The peer does not know the request in this version (a vote before KIP-996).
    Unsupported,
}

/// Asks for a vote, or (`pre_vote`) whether one would be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    pub candidate: ReplicaKey,
    pub epoch: i32,
    /// The candidate's log ends here.
    pub last: OffsetAndEpoch,
    /// Whom the request is meant for, if it says so.
    pub voter: Option<ReplicaKey>,
    pub pre_vote: bool,
}

/// The leader of `epoch` makes itself known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeginQuorumEpoch {
    pub leader: NodeId,
    pub epoch: i32,
    /// Empty where the sender is older than KIP-853.
    pub endpoints: Endpoints,
    pub voter: Option<ReplicaKey>,
}

/// The leader of `epoch` goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndQuorumEpoch {
    pub leader: NodeId,
    pub epoch: i32,
    pub endpoints: Endpoints,
    /// Who should ask for votes first: the most complete log first.
    pub successors: Vec<ReplicaKey>,
}

/// Wants the log from `at` on: "I have everything below `at.offset`, on stable storage if I vote".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    pub replica: ReplicaKey,
    /// The leader's epoch as the sender knows it.
    pub epoch: i32,
    pub at: OffsetAndEpoch,
    pub max_wait_ms: i64,
    pub max_bytes: i32,
    /// The high watermark the sender knows (KIP-1166): it is answered once the leader's is higher. -1 if it knows none,
    /// `i64::MAX` where the request's version cannot say it.
    pub high_watermark: i64,
}

/// Wants a piece of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSnapshot {
    pub replica: ReplicaKey,
    pub epoch: i32,
    pub snapshot: OffsetAndEpoch,
    /// In bytes, from the beginning of the snapshot.
    pub position: i64,
    pub max_bytes: i32,
}

/// Wants a voter more (KIP-853).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddVoter {
    pub voter: Voter,
    /// Otherwise it is answered once the leader has the change in its log.
    pub ack_when_committed: bool,
}

/// Wants a voter less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveVoter {
    pub voter: ReplicaKey,
}

/// A voter that can be reached elsewhere, or speaks other versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateVoter {
    pub epoch: i32,
    pub voter: Voter,
}

/// What every answer says: an error, and who leads as far as the answering replica knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub error: ErrorCode,
    pub epoch: i32,
    pub leader: Option<NodeId>,
    /// The leader's; empty where it is not known, or the answer's version cannot say it.
    pub endpoints: Endpoints,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteAnswer {
    pub answer: Answer,
    pub granted: bool,
}

/// The leader's answer to a fetch.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchAnswer {
    pub answer: Answer,
    /// -1 while the leader does not know it.
    pub high_watermark: i64,
    pub diverging: Option<OffsetAndEpoch>,
    pub snapshot: Option<OffsetAndEpoch>,
    pub batches: Vec<Batch>,
}

/// One record batch of the metadata log, its CRC verified by the driver.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub base_offset: i64,
    pub last_offset: i64,
    pub epoch: i32,
    /// The voters it sets, at which offset (a control record of KIP-853).
    pub voters: Option<(i64, VoterSet)>,
    pub bytes: Bytes,
}

impl Batch {
    /// Offsets it takes.
    pub fn count(&self) -> i64 {
        self.last_offset - self.base_offset + 1
    }
}

/// A piece of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotAnswer {
    pub answer: Answer,
    pub snapshot: OffsetAndEpoch,
    /// Bytes of the whole snapshot.
    pub size: i64,
    pub position: i64,
    pub bytes: Bytes,
}
