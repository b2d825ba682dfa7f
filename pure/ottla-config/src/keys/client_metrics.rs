//! Keys of client metrics subscriptions.

use crate::check::{Check, between};
use crate::keys::reason::NO_TELEMETRY;

keys! {
    /// What a client metrics subscription says.
    ClientMetricsConfig in ClientMetrics;
    fields {}
    shared {}
    accepted {
        /// How often clients push metrics.
        Int "interval.ms" = "300000", between(100, 3_600_000), ClusterWide, Medium => NO_TELEMETRY;
        /// Patterns that choose clients.
        List "match" = "", Check::Any, ClusterWide, Medium => NO_TELEMETRY;
        /// Prefixes of the metrics that are asked for.
        List "metrics" = "", Check::Any, ClusterWide, Medium => NO_TELEMETRY;
    }
}
