//! One partition of `__consumer_offsets` as a machine. `handle` decides, `replay` changes; neither waits.

use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::leave_group_response::MemberResponse;
use ottla_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest,
};
use ottla_protocol::{ErrorCode, Str};

use crate::command::{Command, Decision, Reply, Token};
use crate::group::classic::ClassicGroup;
use crate::group::classic::join::{self, Join};
use crate::group::classic::sync;
use crate::group::hard::Hard;
use crate::group::offsets;
use crate::group::soft::{LiveGroups, Soft};
use crate::group::step::Step;
use crate::group::{delete, describe, list};
use crate::now::Now;
use crate::record::{CoordinatorRecord, RecordError};
use crate::settings::GroupSettings;
use crate::timers::Timer;

/// The replicated state of one shard, and the rules for changing it.
#[derive(Debug, Clone)]
pub struct Shard {
    settings: GroupSettings,
    hard: Hard,
}

impl Shard {
    pub fn new(settings: GroupSettings) -> Self {
        Self { settings, hard: Hard::default() }
    }

    pub fn hard(&self) -> &Hard {
        &self.hard
    }

    /// Applies the record at `record_offset` of the shard's log. `producer_id` is that of its batch
    /// if the batch is transactional, else -1.
    ///
    /// # Errors
    /// The record cannot be read; the state is unchanged, and must not be served.
    pub fn replay(
        &mut self,
        record_offset: i64,
        producer_id: i64,
        record: &CoordinatorRecord,
    ) -> Result<(), RecordError> {
        self.hard.replay(record_offset, producer_id, record)
    }

    /// Applies the control record that ends a producer's transaction.
    pub fn replay_end_transaction(&mut self, producer_id: i64, commit: bool) {
        self.hard.replay_end_transaction(producer_id, commit);
    }

    /// The log has been replayed to its end: members get a session each to be heard of.
    pub fn start(&self, soft: &mut Soft, now: Now) -> Decision {
        let mut decision = Decision::default();
        let Soft { groups, timers } = soft;
        let step = &mut Step { now, settings: &self.settings, timers, decision: &mut decision };
        let ids = self.hard.groups().iter().filter(|(_, metadata)| !metadata.members.is_empty());
        for (id, _) in ids {
            self.wake(groups, step, id);
        }
        let check_ms = self.settings.offsets_retention_check_interval_ms;
        step.timers.schedule(now, Timer::ExpireOffsets, check_ms);
        decision
    }

    /// Decides. Hard state is only read; the caller appends the records, replays them, and hands out
    /// the completions once everything appended to this shard so far is committed.
    pub fn handle(&self, soft: &mut Soft, now: Now, command: Command) -> Decision {
        let mut decision = Decision::default();
        let Soft { groups, timers } = soft;
        let step = &mut Step { now, settings: &self.settings, timers, decision: &mut decision };
        match command {
            Command::JoinGroup { token, client, version, member_suffix, request } => {
                let group_id = request.group_id.clone();
                let request = Join { token, client, version, member_suffix, request };
                join::join(groups, &self.hard, step, &request);
                groups.forget_idle(&group_id);
            }
            Command::SyncGroup { token, request } => self.sync(groups, step, token, &request),
            Command::Heartbeat { token, request } => {
                let result = self.heartbeat(groups, step, &request);
                let error_code = result.err().unwrap_or(ErrorCode::None).code();
                let response = HeartbeatResponse { error_code, ..Default::default() };
                step.complete(token, Reply::Heartbeat(response));
            }
            Command::LeaveGroup { token, version, request } => {
                let response = self.leave(groups, step, version, &request);
                step.complete(token, Reply::LeaveGroup(response));
                groups.forget_idle(&request.group_id);
            }
            Command::OffsetCommit { token, version, request } => {
                let asked = (token, version);
                offsets::commit::commit(groups, &self.hard, step, asked, &request);
                groups.forget_idle(&request.group_id);
            }
            Command::OffsetFetch { token, require_stable, group } => {
                let response = offsets::fetch::fetch(&self.hard, require_stable, &group);
                step.complete(token, Reply::OffsetFetch(response));
            }
            Command::OffsetDelete { token, request } => {
                let response = offsets::delete::delete(groups, &self.hard, step, &request);
                step.complete(token, Reply::OffsetDelete(response));
                groups.forget_idle(&request.group_id);
            }
            Command::DeleteGroups { token, groups: ids } => {
                let results = delete::delete(groups, &self.hard, step, &ids);
                step.complete(token, Reply::DeleteGroups(results));
            }
            Command::ListGroups { token, states, types } => {
                let listed = list::list(groups, &self.hard, &states, &types);
                step.complete(token, Reply::ListGroups(listed));
            }
            Command::DescribeGroups { token, version, groups: ids } => {
                let described = describe::describe(groups, &self.hard, version, &ids);
                step.complete(token, Reply::DescribeGroups(described));
            }
            Command::TopicsDeleted { topics } => {
                offsets::delete::topics_deleted(&self.hard, step, &topics);
            }
            Command::Timeout => self.timeout(groups, step),
            Command::Revert { groups: ids, error } => self.revert(groups, step, &ids, error),
            Command::Unload => Self::unload(groups, step),
        }
        decision
    }

    fn sync(
        &self,
        groups: &mut LiveGroups,
        step: &mut Step,
        token: Token,
        request: &SyncGroupRequest,
    ) {
        if request.group_id.is_empty() {
            return step.complete(token, sync::failed(ErrorCode::InvalidGroupId));
        }
        match groups.live.get_mut(&request.group_id) {
            Some(group) => group.sync(step, token, request),
            None => step.complete(token, sync::failed(ErrorCode::UnknownMemberId)),
        }
    }

    fn heartbeat(
        &self,
        groups: &mut LiveGroups,
        step: &mut Step,
        request: &HeartbeatRequest,
    ) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let group = groups.live.get(&request.group_id).ok_or(ErrorCode::UnknownMemberId)?;
        group.heartbeat(step, request)
    }

    /// Before version 3 a request is about one member, named at the top.
    fn leave(
        &self,
        groups: &mut LiveGroups,
        step: &mut Step,
        version: i16,
        request: &LeaveGroupRequest,
    ) -> LeaveGroupResponse {
        if request.group_id.is_empty() {
            let error_code = ErrorCode::InvalidGroupId.code();
            return LeaveGroupResponse { error_code, ..Default::default() };
        }
        let one = [MemberIdentity { member_id: request.member_id.clone(), ..Default::default() }];
        let identities = if version < 3 { &one[..] } else { &request.members[..] };
        let results = match groups.live.get_mut(&request.group_id) {
            Some(group) => group.leave(step, identities),
            None => vec![Err(ErrorCode::UnknownMemberId); identities.len()],
        };
        let members = identities.iter().zip(results).map(|(identity, result)| MemberResponse {
            member_id: identity.member_id.clone(),
            group_instance_id: identity.group_instance_id.clone(),
            error_code: result.err().unwrap_or(ErrorCode::None).code(),
            ..Default::default()
        });
        LeaveGroupResponse { members: members.collect(), ..Default::default() }
    }

    fn timeout(&self, groups: &mut LiveGroups, step: &mut Step) {
        let Some(timer) = step.timers.take_due(step.now) else { return };
        let group_id = match timer {
            Timer::ExpireOffsets => {
                let check_ms = self.settings.offsets_retention_check_interval_ms;
                step.timers.schedule(step.now, Timer::ExpireOffsets, check_ms);
                return offsets::expire::expire(groups, &self.hard, step);
            }
            Timer::Heartbeat { group: id, member } => {
                with(groups, &id, |group| group.session_timeout(step, &member));
                id
            }
            Timer::Join { group: id } => {
                with(groups, &id, |group| group.join_timeout(step));
                id
            }
            Timer::Sync { group: id } => {
                with(groups, &id, |group| group.sync_timeout(step));
                id
            }
        };
        groups.forget_idle(&group_id);
    }

    /// Forgets what was decided on top of records that never made it into the log.
    fn revert(&self, groups: &mut LiveGroups, step: &mut Step, ids: &[Str], error: ErrorCode) {
        for id in ids {
            if let Some(mut group) = groups.live.remove(id) {
                group.fail_all(step, error);
            }
            if self.hard.groups().get(id).is_some_and(|known| !known.members.is_empty()) {
                self.wake(groups, step, id);
            }
        }
    }

    fn unload(groups: &mut LiveGroups, step: &mut Step) {
        for group in groups.live.values_mut() {
            group.fail_all(step, ErrorCode::NotCoordinator);
        }
        groups.live.clear();
        step.timers.cancel(&Timer::ExpireOffsets);
    }

    /// Brings a group with members to life. One that is over the limit rebalances, so that its
    /// members may commit before some of them go.
    fn wake(&self, groups: &mut LiveGroups, step: &mut Step, id: &Str) {
        let Some(group) = groups.get_or_wake(&self.hard, id) else { return };
        let member_ids: Vec<Str> = group.members.keys().cloned().collect();
        for member_id in &member_ids {
            group.extend_session(step, member_id);
        }
        if member_ids.len() > self.settings.max_size {
            group.prepare_rebalance(step);
        }
    }
}

fn with(groups: &mut LiveGroups, id: &Str, act: impl FnOnce(&mut ClassicGroup)) {
    if let Some(group) = groups.live.get_mut(id) {
        act(group);
    }
}
