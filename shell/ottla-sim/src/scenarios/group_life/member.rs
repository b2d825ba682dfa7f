//! A consumer as a client library behaves, and what it asks.

use bytes::Bytes;
use ottla_coordinator::Token;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::join_group_response::JoinGroupResponseMember;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, OffsetCommitRequest, SyncGroupRequest,
};
use ottla_protocol::{Str, Uuid};

pub(super) const GROUP: &str = "g";
pub(super) const TOPIC: &str = "t";
pub(super) const SESSION_MS: i32 = 10_000;
pub(super) const REBALANCE_MS: i32 = 30_000;
pub(super) const HEARTBEAT_MS: i64 = 3_000;
pub(super) const PARTITIONS: u8 = 8;
/// A subscription to the one topic, as consumers write it.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x01t\0\0\0\0";

/// A member's identity, and where it believes its group to be.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) member_id: Str,
    pub(super) instance: Option<&'static str>,
    pub(super) generation: i32,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) version: i16,
    pub(super) identity: Identity,
    pub(super) doing: Doing,
    pub(super) beating: Option<Token>,
    pub(super) next_heartbeat_ms: i64,
}

#[derive(Debug, PartialEq)]
pub(super) enum Doing {
    Nothing,
    Joining(Token),
    Syncing(Token),
    Owning(Vec<u8>),
}

impl Member {
    pub(super) fn new(version: i16, instance: Option<&'static str>) -> Member {
        let identity = Identity { member_id: Str::default(), instance, generation: -1 };
        let (doing, beating) = (Doing::Nothing, None);
        Member { version, identity, doing, beating, next_heartbeat_ms: 0 }
    }

    /// Whom partitions belong to: a static member's successor owns what it owned.
    pub(super) fn owner(&self) -> Str {
        self.identity.instance.map_or(self.identity.member_id.clone(), Str::from)
    }

    /// It has to join anew; under another id if nobody knows this one.
    pub(super) fn start_over(&mut self, unknown: bool) {
        if unknown {
            self.identity.member_id = Str::default();
        }
        (self.doing, self.beating) = (Doing::Nothing, None);
    }

    pub(super) fn owned(&self) -> &[u8] {
        match &self.doing {
            Doing::Owning(owned) => owned,
            _ => &[],
        }
    }
}

impl Identity {
    pub(super) fn join_request(&self) -> JoinGroupRequest {
        let protocol = JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(SUBSCRIPTION),
            ..Default::default()
        };
        JoinGroupRequest {
            group_id: GROUP.into(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.map(Str::from),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..Default::default()
        }
    }

    /// The leader's brings every member's share.
    pub(super) fn sync_request(&self, members: &[JoinGroupResponseMember]) -> SyncGroupRequest {
        let share = |index: usize| {
            let mine = |partition: &u8| usize::from(*partition) % members.len() == index;
            (0..PARTITIONS).filter(mine).collect::<Vec<u8>>()
        };
        let assignments = members.iter().enumerate().map(|(index, member)| {
            let assignment = Bytes::from(share(index));
            let member_id = member.member_id.clone();
            SyncGroupRequestAssignment { member_id, assignment, ..Default::default() }
        });
        SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.map(Str::from),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: assignments.collect(),
            ..Default::default()
        }
    }

    pub(super) fn heartbeat_request(&self) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.map(Str::from),
            ..Default::default()
        }
    }

    pub(super) fn commit_request(
        &self,
        topic_id: Uuid,
        index: u8,
        offset: i64,
    ) -> OffsetCommitRequest {
        let partition = OffsetCommitRequestPartition {
            partition_index: i32::from(index),
            committed_offset: offset,
            committed_leader_epoch: -1,
            committed_metadata: Some(Str::default()),
            ..Default::default()
        };
        let partitions = vec![partition];
        let topic = OffsetCommitRequestTopic {
            name: TOPIC.into(),
            topic_id,
            partitions,
            ..Default::default()
        };
        OffsetCommitRequest {
            group_id: GROUP.into(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.map(Str::from),
            topics: vec![topic],
            ..Default::default()
        }
    }
}
