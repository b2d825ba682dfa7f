//! All partitions of all topics in turn, to whoever of the members wants the next.

use std::collections::BTreeMap;

use ottla_protocol::Str;

use super::{Assignment, Member, in_order, wanted_topics};
use crate::topic_partition::TopicPartition;

pub(super) fn assign(members: &[Member], counts: &BTreeMap<Str, i32>) -> Assignment {
    let members_in_order = in_order(members.iter());
    let mut assignment = Assignment::new();
    let mut turn = 0;
    for topic in wanted_topics(members, counts) {
        for partition in 0..counts[&topic] {
            // Somebody wants the topic, so this ends.
            while !members_in_order[turn % members_in_order.len()].topics.contains(&topic) {
                turn += 1;
            }
            let member = members_in_order[turn % members_in_order.len()];
            let partition = TopicPartition::new(topic.clone(), partition);
            assignment.entry(member.id.clone()).or_default().push(partition);
            turn += 1;
        }
    }
    assignment
}
