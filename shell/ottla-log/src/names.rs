//! The topics that have partitions in a data directory, by name: one name may belong to several, where
//! a topic was deleted and made again. It knows how many partitions each has, not which.

use std::collections::BTreeMap;

use ottla_protocol::{Str, Uuid};
use smallvec::SmallVec;

use crate::options::TopicPartition;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Names {
    topics: BTreeMap<Str, SmallVec<[Known; 1]>>,
}

/// A topic with partitions here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) id: Uuid,
    partitions: usize,
}

impl Names {
    /// The topics of a name.
    pub(crate) fn topics(&self, name: &str) -> &[Known] {
        self.topics.get(name).map_or(&[], |topics| topics)
    }

    /// The name in memory that all partitions of that name share; it keeps no request alive.
    pub(crate) fn shared(&self, name: &Str) -> Str {
        self.topics.get_key_value(name).map_or_else(|| name.detach(), |(known, _)| known.clone())
    }

    /// A partition more.
    pub(crate) fn add(&mut self, id: &TopicPartition) {
        let topics = self.topics.entry(id.topic.clone()).or_default();
        match topics.iter_mut().find(|topic| topic.id == id.topic_id) {
            Some(topic) => topic.partitions += 1,
            None => topics.push(Known { id: id.topic_id, partitions: 1 }),
        }
    }

    /// A partition less.
    pub(crate) fn remove(&mut self, id: &TopicPartition) {
        let Some(topics) = self.topics.get_mut(&id.topic) else { return };
        topics.iter_mut().filter(|topic| topic.id == id.topic_id).for_each(|t| t.partitions -= 1);
        topics.retain(|topic| topic.partitions > 0);
        if topics.is_empty() {
            self.topics.remove(&id.topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::{Str, Uuid};

    use super::Names;
    use crate::options::TopicPartition;

    #[test]
    fn a_name_is_known_while_a_topic_of_it_has_partitions() {
        let id = |topic: u128, partition| TopicPartition {
            topic: Str::copy_from("t"),
            topic_id: Uuid::from_u128(topic),
            partition,
        };
        let mut names = Names::default();
        [id(1, 0), id(1, 1), id(2, 2)].iter().for_each(|id| names.add(id));
        let ids =
            |names: &Names| names.topics("t").iter().map(|topic| topic.id).collect::<Vec<_>>();
        assert_eq!(ids(&names), [Uuid::from_u128(1), Uuid::from_u128(2)]);
        names.remove(&id(1, 0));
        assert_eq!(ids(&names), [Uuid::from_u128(1), Uuid::from_u128(2)]);
        names.remove(&id(1, 1));
        assert_eq!(ids(&names), [Uuid::from_u128(2)]);
        names.remove(&id(2, 2));
        assert!(names.topics.is_empty());
    }
}
