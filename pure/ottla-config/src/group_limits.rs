//! What a broker allows its groups to set: every interval and timeout has a smallest and a largest
//! value. Knows nothing of where the values come from.

use crate::keys::group::GroupCoordinatorConfig;
use crate::keys::group_level::GroupConfig;

/// A group key, and the limits a broker sets to it.
struct Limits {
    name: &'static str,
    least: (&'static str, i32),
    most: (&'static str, i32),
}

fn limits(broker: &GroupCoordinatorConfig) -> [Limits; 3] {
    [
        Limits {
            name: "consumer.session.timeout.ms",
            least: (
                "group.consumer.min.session.timeout.ms",
                broker.consumer_min_session_timeout_ms,
            ),
            most: ("group.consumer.max.session.timeout.ms", broker.consumer_max_session_timeout_ms),
        },
        Limits {
            name: "consumer.heartbeat.interval.ms",
            least: (
                "group.consumer.min.heartbeat.interval.ms",
                broker.consumer_min_heartbeat_interval_ms,
            ),
            most: (
                "group.consumer.max.heartbeat.interval.ms",
                broker.consumer_max_heartbeat_interval_ms,
            ),
        },
        Limits {
            name: "consumer.assignment.interval.ms",
            least: (
                "group.consumer.min.assignment.interval.ms",
                broker.consumer_min_assignment_interval_ms,
            ),
            most: (
                "group.consumer.max.assignment.interval.ms",
                broker.consumer_max_assignment_interval_ms,
            ),
        },
    ]
}

/// What is wrong with a group's own value, if it lies outside of the broker's limits.
pub(crate) fn outside(broker: &GroupCoordinatorConfig, name: &str, value: i64) -> Option<String> {
    let limits = limits(broker).into_iter().find(|limits| limits.name == name)?;
    if value < i64::from(limits.least.1) {
        return Some(format!("{name} must be greater than or equal to {}", limits.least.0));
    }
    let above = value > i64::from(limits.most.1);
    above.then(|| format!("{name} must be less than or equal to {}", limits.most.0))
}

impl GroupConfig {
    /// The same values, pulled inside the broker's limits: a limit may have been set after the value.
    pub(crate) fn within(mut self, broker: &GroupCoordinatorConfig) -> Self {
        let [session, heartbeat, assignment] = limits(broker);
        let pull = |value: i32, limits: &Limits| value.min(limits.most.1).max(limits.least.1);
        self.consumer_session_timeout_ms = pull(self.consumer_session_timeout_ms, &session);
        self.consumer_heartbeat_interval_ms = pull(self.consumer_heartbeat_interval_ms, &heartbeat);
        self.consumer_assignment_interval_ms =
            pull(self.consumer_assignment_interval_ms, &assignment);
        self
    }
}
