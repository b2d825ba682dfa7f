//! Per topic, consecutive partitions to each member; the first members get one more.

use std::collections::BTreeMap;

use ottla_protocol::Str;

use super::{Assignment, Member, in_order, wanted_topics};
use crate::topic_partition::TopicPartition;

pub(super) fn assign(members: &[Member], counts: &BTreeMap<Str, i32>) -> Assignment {
    let mut assignment = Assignment::new();
    for topic in wanted_topics(members, counts) {
        let takers = in_order(members.iter().filter(|member| member.topics.contains(&topic)));
        let count = usize::try_from(counts[&topic]).unwrap_or(0);
        let (each, more) = (count / takers.len(), count % takers.len());
        let mut next = 0;
        for (index, member) in takers.iter().enumerate() {
            let share = each + usize::from(index < more);
            let partitions = (next..next + share)
                .map(|partition| TopicPartition::new(topic.clone(), partition as i32));
            assignment.entry(member.id.clone()).or_default().extend(partitions);
            next += share;
        }
    }
    assignment
}
