//! What a shard is asked and what it decides. Neither is ever stored.

use ottla_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteResponse, SyncGroupRequest, SyncGroupResponse, delete_groups_response,
    describe_groups_response, list_groups_response, offset_fetch_request, offset_fetch_response,
};
use ottla_protocol::{ErrorCode, Str, Uuid};

use crate::record::CoordinatorRecord;

/// Names one request until its answer is handed out. The driver owns the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Who asks, as far as groups remember it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    pub client_id: Str,
    /// As Java prints an address: `/127.0.0.1`.
    pub client_host: Str,
}

/// One step of a shard. Requests carry the token under which they will be answered, once.
#[derive(Debug, Clone)]
pub enum Command {
    JoinGroup {
        token: Token,
        client: Client,
        version: i16,
        /// The random part of a member id, should one be given out.
        member_suffix: Str,
        request: JoinGroupRequest,
    },
    SyncGroup {
        token: Token,
        request: SyncGroupRequest,
    },
    Heartbeat {
        token: Token,
        request: HeartbeatRequest,
    },
    LeaveGroup {
        token: Token,
        version: i16,
        request: LeaveGroupRequest,
    },
    /// The topics have been looked up: each has its name and, where known, its id.
    OffsetCommit {
        token: Token,
        version: i16,
        request: OffsetCommitRequest,
    },
    /// The topics have been looked up: each has its name and, where known, its id.
    OffsetFetch {
        token: Token,
        require_stable: bool,
        group: offset_fetch_request::OffsetFetchRequestGroup,
    },
    /// The topics exist.
    OffsetDelete {
        token: Token,
        request: OffsetDeleteRequest,
    },
    DeleteGroups {
        token: Token,
        groups: Vec<Str>,
    },
    ListGroups {
        token: Token,
        states: Vec<Str>,
        types: Vec<Str>,
    },
    DescribeGroups {
        token: Token,
        version: i16,
        groups: Vec<Str>,
    },
    /// These topics are gone; what was committed for them goes too. A successor of the same name
    /// has another id, and keeps its offsets.
    TopicsDeleted {
        topics: Vec<(Str, Uuid)>,
    },
    /// Take the earliest due timer, if there is one.
    Timeout,
    /// The records of an earlier decision could not be appended: back to what is replicated.
    Revert {
        groups: Vec<Str>,
        error: ErrorCode,
    },
    /// The shard is led elsewhere from now on: nobody may wait here any longer.
    Unload,
}

/// An answer. The handler of the API fits it to the request's version.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    JoinGroup(JoinGroupResponse),
    SyncGroup(SyncGroupResponse),
    Heartbeat(HeartbeatResponse),
    LeaveGroup(LeaveGroupResponse),
    OffsetCommit(OffsetCommitResponse),
    OffsetFetch(offset_fetch_response::OffsetFetchResponseGroup),
    OffsetDelete(OffsetDeleteResponse),
    DeleteGroups(Vec<delete_groups_response::DeletableGroupResult>),
    ListGroups(Vec<list_groups_response::ListedGroup>),
    DescribeGroups(Vec<describe_groups_response::DescribedGroup>),
}

/// The answer to one token.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    pub token: Token,
    pub reply: Reply,
}

/// What the driver has to do: append `records`, replay them, wait until everything appended so far
/// is committed, then hand out `completions`.
#[derive(Debug, Default)]
pub struct Decision {
    pub records: Vec<CoordinatorRecord>,
    pub completions: Vec<Completion>,
    /// The groups that `records` speak of, for [`Command::Revert`].
    pub groups: Vec<Str>,
}

impl Decision {
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.completions.is_empty()
    }
}
