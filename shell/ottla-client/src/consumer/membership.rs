//! Membership in a group by the classic protocol: join, be assigned, leave.
//!
//! Says what is assigned; positions and fetching are the consumer's. One call at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::join_group_response::JoinGroupResponseMember;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};
use ottla_protocol::{ErrorCode, Str};
use tokio::sync::Notify;

use super::ConsumerOptions;
use super::heartbeat::{Beat, Heartbeat, Pulse};
use crate::assignor::{Assignor, Member, protocol};
use crate::backoff::Backoff;
use crate::client::{Client, CoordinatorKind, Lane, Target};
use crate::error::{Error, Result};
use crate::offsets::Committer;
use crate::topic_partition::TopicPartition;

/// A place in a group, or the wish for one.
pub(super) struct Membership<E: Env> {
    client: Client<E>,
    group: Str,
    lane: Lane,
    topics: Vec<Str>,
    committer: Committer,
    /// What is read now, as told to the group.
    owned: BTreeSet<TopicPartition>,
    /// In which generation that was assigned: not the committer's, from the answer to a join until that to
    /// the sync.
    owned_since: i32,
    heartbeat: Option<Heartbeat>,
    wake: Arc<Notify>,
    /// The partitions of the subscribed topics as of the assignment, to notice new ones.
    counts: BTreeMap<Str, i32>,
}

/// What a poll must do about the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on reading.
    None,
    /// Join: keeping what is owned while it lasts, or having lost it.
    Join { keep: bool },
}

/// What a join brought.
pub(super) struct Joined {
    pub(super) assigned: BTreeSet<TopicPartition>,
    /// Something owned must be given up; join again when that is done.
    pub(super) again: bool,
}

impl<E: Env> Membership<E> {
    pub(super) fn new(
        client: Client<E>,
        options: &ConsumerOptions,
        group: Str,
        topics: Vec<Str>,
        wake: Arc<Notify>,
    ) -> Self {
        let instance_id = options.group_instance_id.clone();
        Membership {
            lane: client.new_lane(),
            client,
            group,
            topics,
            committer: Committer { instance_id, ..Committer::default() },
            owned: BTreeSet::new(),
            owned_since: -1,
            heartbeat: None,
            wake,
            counts: BTreeMap::new(),
        }
    }

    pub(super) fn lane(&self) -> Lane {
        self.lane
    }

    /// As whom offsets are committed.
    pub(super) fn committer(&self) -> &Committer {
        &self.committer
    }

    /// In which generation it was last assigned something; -1 if in none.
    pub(super) fn owned_since(&self) -> i32 {
        self.owned_since
    }

    /// What the group's state asks for now.
    ///
    /// # Errors
    /// If another took this static member's place.
    pub(super) fn step(&mut self) -> Result<Step> {
        let Some(heartbeat) = &self.heartbeat else { return Ok(Step::Join { keep: true }) };
        heartbeat.polled(self.client.env().now());
        Ok(match heartbeat.pulse() {
            Pulse::Steady if self.topics_changed() => Step::Join { keep: true },
            Pulse::Steady => Step::None,
            Pulse::Rebalance | Pulse::Moved => Step::Join { keep: true },
            Pulse::Lost | Pulse::Idle => Step::Join { keep: false },
            Pulse::Fenced => {
                let doing = format!("stay in group \"{}\"", self.group);
                return Err(Error::Answer {
                    code: ErrorCode::FencedInstanceId,
                    doing,
                    message: None,
                });
            }
        })
    }

    /// The membership is gone: nothing is owned, and the next join is a stranger's.
    pub(super) fn forget(&mut self) {
        self.heartbeat = None;
        self.owned.clear();
        self.owned_since = -1;
        self.committer.generation = -1;
        self.committer.member_id = Str::default();
    }

    /// Joins and gets an assignment. Waits for the other members, within the rebalance time-out.
    ///
    /// # Errors
    /// What trying again does not help, or has not within the API time-out.
    pub(super) async fn join(&mut self, options: &ConsumerOptions) -> Result<Joined> {
        self.heartbeat = None;
        let client = self.client.clone();
        let limit = client.options().api_timeout + options.rebalance_timeout;
        let mut backoff = Backoff::new(client.env(), client.options(), limit);
        loop {
            match self.join_once(options).await {
                Ok(joined) => return Ok(joined),
                Err(error) => match error.code() {
                    // An id was given; it is to be used at once.
                    Some(ErrorCode::MemberIdRequired | ErrorCode::RebalanceInProgress) => {}
                    Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration) => {
                        self.forget()
                    }
                    _ => backoff.wait(error).await?,
                },
            }
        }
    }

    async fn join_once(&mut self, options: &ConsumerOptions) -> Result<Joined> {
        let coordinator = self.client.coordinator(CoordinatorKind::Group, &self.group).await?;
        let cluster = self.client.metadata(Some(&self.topics)).await?;
        let counts = self.topics.iter().filter_map(|name| {
            let topic = cluster.topic(name)?;
            Some((name.clone(), i32::try_from(topic.partitions.len()).ok()?))
        });
        self.counts = counts.collect();
        let response = self.send_join(options, coordinator).await?;
        self.committer.member_id = response.member_id.clone();
        self.check(response.error_code, "join")?;
        self.committer.generation = response.generation_id;
        let name = response.protocol_name.clone().unwrap_or_default();
        let Some(assignor) = Assignor::from_name(&name) else {
            let text = format!(
                "group \"{}\" uses assignor \"{name}\", which is not known here",
                self.group
            );
            return Err(Error::Invalid(text));
        };
        let is_leader = response.leader == response.member_id && !response.skip_assignment;
        let assignments =
            if is_leader { self.assign(assignor, response.members).await? } else { Vec::new() };
        let assigned = self.sync(coordinator, assignor, assignments).await?;
        let again = assignor.is_cooperative() && !self.owned.is_subset(&assigned);
        self.owned = assigned.clone();
        self.owned_since = self.committer.generation;
        let beat = Beat {
            group: self.group.clone(),
            member: self.committer.clone(),
            coordinator,
            interval: options.heartbeat_interval,
            idle_max: options.rebalance_timeout,
        };
        let heartbeat = Heartbeat::start(&self.client, self.lane, beat, self.wake.clone());
        self.heartbeat = Some(heartbeat);
        Ok(Joined { assigned, again })
    }

    /// What is given up before joining by an assignor that does not let members keep anything.
    pub(super) fn release(&mut self) {
        self.owned.clear();
    }

    async fn send_join(
        &self,
        options: &ConsumerOptions,
        coordinator: i32,
    ) -> Result<JoinGroupResponse> {
        let member = Member {
            topics: self.topics.clone(),
            owned: self.owned.iter().cloned().collect(),
            // A claim counts as much as the generation that gave it (KIP-792): whoever joined and got no
            // assignment has nothing of the newer one.
            generation: self.owned_since,
            ..Member::default()
        };
        let metadata = protocol::encode_subscription(&member);
        let milliseconds = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        let protocols = options.assignors.iter().map(|assignor| JoinGroupRequestProtocol {
            name: Str::from(assignor.name()),
            metadata: metadata.clone(),
            ..JoinGroupRequestProtocol::default()
        });
        let request = JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: milliseconds(options.session_timeout),
            rebalance_timeout_ms: milliseconds(options.rebalance_timeout),
            member_id: self.committer.member_id.clone(),
            group_instance_id: self.committer.instance_id.clone(),
            protocol_type: Str::from("consumer"),
            protocols: protocols.collect(),
            ..JoinGroupRequest::default()
        };
        let target = Target::Broker(coordinator);
        self.client.call(target, self.lane, &request, options.rebalance_timeout).await
    }

    /// As the group's leader: shares out the partitions of all members' topics.
    async fn assign(
        &self,
        assignor: Assignor,
        members: Vec<JoinGroupResponseMember>,
    ) -> Result<Vec<SyncGroupRequestAssignment>> {
        let mut subscribed = Vec::with_capacity(members.len());
        for member in members {
            let id = member.member_id;
            let decoded = protocol::decode_subscription(
                id.clone(),
                member.group_instance_id,
                member.metadata,
            );
            let undecodable =
                |error| Error::Invalid(format!("the subscription of member {id}: {error}"));
            subscribed.push(decoded.map_err(undecodable)?);
        }
        let mut topics: Vec<Str> = subscribed.iter().flat_map(|m| m.topics.clone()).collect();
        topics.sort();
        topics.dedup();
        let cluster = self.client.metadata(Some(&topics)).await?;
        let counts = topics.iter().filter_map(|name| {
            let topic = cluster.topic(name)?;
            Some((name.clone(), i32::try_from(topic.partitions.len()).ok()?))
        });
        let assignment = assignor.assign(&subscribed, &counts.collect());
        let assignments = assignment.into_iter().map(|(member_id, partitions)| {
            let assignment = protocol::encode_assignment(&partitions);
            SyncGroupRequestAssignment {
                member_id,
                assignment,
                ..SyncGroupRequestAssignment::default()
            }
        });
        Ok(assignments.collect())
    }

    async fn sync(
        &self,
        coordinator: i32,
        assignor: Assignor,
        assignments: Vec<SyncGroupRequestAssignment>,
    ) -> Result<BTreeSet<TopicPartition>> {
        let request = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.committer.generation,
            member_id: self.committer.member_id.clone(),
            group_instance_id: self.committer.instance_id.clone(),
            protocol_type: Some(Str::from("consumer")),
            protocol_name: Some(Str::from(assignor.name())),
            assignments,
            ..SyncGroupRequest::default()
        };
        let target = Target::Broker(coordinator);
        let patience = self.client.options().request_timeout;
        let response = self.client.call(target, self.lane, &request, patience).await?;
        self.check(response.error_code, "get an assignment in")?;
        let assigned = protocol::decode_assignment(response.assignment);
        let undecodable = |error| Error::Invalid(format!("the assignment cannot be read: {error}"));
        Ok(assigned.map_err(undecodable)?.into_iter().collect())
    }

    /// Leaves, so that the others need not wait for the session to end. A static member stays: it
    /// will be back.
    pub(super) async fn leave(&mut self) {
        self.heartbeat = None;
        if self.committer.member_id.is_empty() || self.committer.instance_id.is_some() {
            return;
        }
        let Ok(coordinator) = self.client.coordinator(CoordinatorKind::Group, &self.group).await
        else {
            return;
        };
        let target = Target::Broker(coordinator);
        let Ok(version) = self.client.version::<LeaveGroupRequest>(target).await else { return };
        let member_id = self.committer.member_id.clone();
        let mut request =
            LeaveGroupRequest { group_id: self.group.clone(), ..LeaveGroupRequest::default() };
        if version >= 3 {
            request.members = vec![MemberIdentity { member_id, ..MemberIdentity::default() }];
        } else {
            request.member_id = member_id;
        }
        // Whether it is heard or not: the session ends by itself.
        let _ = self.client.call(target, self.lane, &request, Duration::ZERO).await;
        self.forget();
    }

    /// Whether a subscribed topic has come, gone or grown since the assignment, as far as is known.
    fn topics_changed(&self) -> bool {
        let cluster = self.client.cluster();
        self.topics.iter().any(|name| {
            let now = cluster.topic(name).map_or(0, |topic| topic.partitions.len());
            let then = self.counts.get(name).copied().unwrap_or(0);
            i32::try_from(now) != Ok(then)
        })
    }

    fn check(&self, code: i16, what: &str) -> Result<()> {
        Error::check(code, || format!("{what} group \"{}\"", self.group), None)
    }
}
