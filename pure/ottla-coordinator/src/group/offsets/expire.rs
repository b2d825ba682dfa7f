//! Retention of offsets (KIP-211): they outlive their group's last member by `offsets.retention.minutes`.

use ottla_plant::{Plant, planted};

use crate::group::classic::{ClassicGroup, State};
use crate::group::committed::CommittedOffset;
use crate::group::hard::Hard;
use crate::group::records;
use crate::group::soft::LiveGroups;
use crate::group::step::Step;

/// Tombstones for what is past its time; a group with nothing left goes too.
pub(crate) fn expire(groups: &mut LiveGroups, hard: &Hard, step: &mut Step) {
    for (id, metadata) in hard.groups() {
        let woken;
        let group = match groups.live.get(id) {
            Some(group) => group,
            None => {
                woken = ClassicGroup::from_metadata(id.clone(), metadata);
                &woken
            }
        };
        if expire_group(group, hard, step) && group.is_idle() {
            step.append(id, records::group_tombstone(id));
            groups.live.remove(id);
        }
    }
}

/// Whether the group has no offset left.
fn expire_group(group: &ClassicGroup, hard: &Hard, step: &mut Step) -> bool {
    let id = &group.group_id;
    let mut all_expired = !hard.offsets().has_open_transactions(id);
    let Some(topics) = hard.offsets().committed().of_group(id) else { return all_expired };
    let Some(base) = retention_base(group) else { return false };
    for (topic, partitions) in topics {
        for (index, offset) in partitions {
            let kept = (group.is_subscribed_to(topic) && !planted(Plant::OffsetsExpireWhileActive))
                || !is_expired(step, &base, offset)
                || hard.offsets().is_pending(id, topic, *index);
            if kept {
                all_expired = false;
            } else {
                step.append(id, records::offset_tombstone(id, topic, *index));
            }
        }
    }
    all_expired
}

/// From when on the retention of an offset runs.
enum Base {
    /// From its commit: nobody manages the group, or nobody reads the topic any more.
    Commit,
    /// From the moment the group lost its last member.
    GroupEmpty { since_ms: Option<i64> },
}

/// None while members may still need any of the offsets.
fn retention_base(group: &ClassicGroup) -> Option<Base> {
    if group.protocol_type.is_none() || planted(Plant::OffsetsExpireWhileActive) {
        return Some(Base::Commit);
    }
    match group.state() {
        State::Empty => Some(Base::GroupEmpty { since_ms: group.state_timestamp_ms }),
        State::Stable if group.subscribed_topics.is_some() => Some(Base::Commit),
        _ => None,
    }
}

fn is_expired(step: &Step, base: &Base, offset: &CommittedOffset) -> bool {
    let now_ms = step.now.wall_ms;
    if let Some(expire_ms) = offset.expire_timestamp_ms {
        return now_ms >= expire_ms;
    }
    let since_ms = match base {
        Base::Commit => offset.commit_timestamp_ms,
        Base::GroupEmpty { since_ms } => since_ms.unwrap_or(offset.commit_timestamp_ms),
    };
    now_ms.saturating_sub(since_ms) >= step.settings.offsets_retention_ms
}
