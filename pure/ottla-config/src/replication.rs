//! What some keys of replication say, read: which replica serves a consumer, which are throttled.

use crate::definition::ConfigType;
use crate::list;
use crate::value::ConfigValue;

/// Which replica a consumer reads from (`replica.selector.class`, KIP-392).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplicaSelector {
    /// The leader.
    #[default]
    Leader,
    /// One of the consumer's rack that is in the ISR, or the leader.
    RackAware,
}

const SELECTORS: [(&str, ReplicaSelector); 2] = [
    ("org.apache.kafka.common.replica.LeaderSelector", ReplicaSelector::Leader),
    ("org.apache.kafka.common.replica.RackAwareReplicaSelector", ReplicaSelector::RackAware),
];

impl ConfigValue for ReplicaSelector {
    const TYPE: ConfigType = ConfigType::String;

    fn from_text(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let named = |(name, _): &&(&str, ReplicaSelector)| *name == text;
        if text.is_empty() {
            return Ok(ReplicaSelector::Leader);
        }
        SELECTORS.iter().find(named).map(|(_, selector)| *selector).ok_or_else(|| {
            let known = SELECTORS.map(|(name, _)| name);
            format!("Ottla loads no Java classes; it knows {}", known.join(" and "))
        })
    }

    fn from_optional(text: Option<&str>) -> Result<Self, String> {
        Self::from_text(text.unwrap_or_default())
    }
}

/// Replicas under a throttle (KIP-73): a topic's `leader.` or `follower.replication.throttled.replicas`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThrottledReplicas {
    All,
    /// Partition and broker; empty for none.
    Listed(Vec<(i32, i32)>),
}

impl ThrottledReplicas {
    /// Whether a replica, the one of `partition` on `broker`, is under the throttle.
    pub fn holds(&self, partition: i32, broker: i32) -> bool {
        match self {
            ThrottledReplicas::All => true,
            ThrottledReplicas::Listed(listed) => listed.contains(&(partition, broker)),
        }
    }
}

impl ConfigValue for ThrottledReplicas {
    const TYPE: ConfigType = ConfigType::List;

    fn from_text(text: &str) -> Result<Self, String> {
        if text.trim() == "*" {
            return Ok(ThrottledReplicas::All);
        }
        let pair = |word: &str| {
            let (partition, broker) = word.split_once(':')?;
            Some((partition.parse().ok()?, broker.parse().ok()?))
        };
        let pairs = list::elements(text).into_iter().map(pair).collect::<Option<_>>();
        pairs
            .map(ThrottledReplicas::Listed)
            .ok_or_else(|| "expected * or partition:broker words between commas".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_one_of_two() {
        let rack = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
        assert_eq!(ReplicaSelector::from_text(rack), Ok(ReplicaSelector::RackAware));
        assert_eq!(ReplicaSelector::from_optional(None), Ok(ReplicaSelector::Leader));
        let error = ReplicaSelector::from_text("com.example.Nearest").unwrap_err();
        assert!(error.contains(rack), "{error}");
    }

    #[test]
    fn throttled_replicas_are_all_some_or_none() {
        let read = |text| ThrottledReplicas::from_text(text).unwrap();
        assert!(read("*").holds(3, 1));
        let some = read("0:1, 3:2");
        assert!(some.holds(0, 1) && some.holds(3, 2) && !some.holds(3, 1));
        assert_eq!(read(""), ThrottledReplicas::Listed(Vec::new()));
        assert!(ThrottledReplicas::from_text("0").is_err());
    }
}
