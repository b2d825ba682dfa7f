//! A classic group as its last `GroupMetadata` record tells it. Never holds who is waiting for what.

use bytes::Bytes;
use ottla_protocol::Str;

/// The state of a group that survives a restart. A group of nothing but committed offsets (a
/// "simple" group) has the default one: no protocol type, no members, generation 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupMetadata {
    /// `consumer`, `connect`, ...; none for a simple group.
    pub protocol_type: Option<Str>,
    /// The assignor all members agreed on; none while there are no members.
    pub protocol: Option<Str>,
    pub generation: i32,
    pub leader: Option<Str>,
    /// When the group took on this state, for the retention of its offsets.
    pub state_timestamp_ms: Option<i64>,
    pub members: Vec<GroupMember>,
}

/// A member with the assignment of the stored generation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupMember {
    pub member_id: Str,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Str>,
    pub client_id: Str,
    pub client_host: Str,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}
