//! Keys of quotas.

use crate::check::{Check, at_least};
use crate::keys::reason::{NO_JVM, NO_QUOTAS, OWN_THROTTLE};

keys! {
    /// Quotas.
    QuotaConfig in Broker;
    fields {
    }
    shared {
    }
    accepted {
        /// Samples of the quota on moves between folders.
        Int "alter.log.dirs.replication.quota.window.num" = "11", at_least(1),
            ReadOnly, Low => OWN_THROTTLE;
        /// Length of a sample of the quota on moves between folders.
        Int "alter.log.dirs.replication.quota.window.size.seconds" = "1", at_least(1),
            ReadOnly, Low => OWN_THROTTLE;
        /// A Java class that decides quotas.
        Class "client.quota.callback.class" = null, Check::Any, ReadOnly, Low => NO_JVM;
        /// Samples of the quota on controller mutations.
        Int "controller.quota.window.num" = "11", at_least(1), ReadOnly, Low => NO_QUOTAS;
        /// Length of a sample of the quota on controller mutations.
        Int "controller.quota.window.size.seconds" = "1", at_least(1), ReadOnly, Low => NO_QUOTAS;
        /// Samples of a client quota.
        Int "quota.window.num" = "11", at_least(1), ReadOnly, Low => NO_QUOTAS;
        /// Length of a sample of a client quota.
        Int "quota.window.size.seconds" = "1", at_least(1), ReadOnly, Low => NO_QUOTAS;
        /// Samples of the replication quota.
        Int "replication.quota.window.num" = "11", at_least(1), ReadOnly, Low => OWN_THROTTLE;
        /// Length of a sample of the replication quota.
        Int "replication.quota.window.size.seconds" = "1", at_least(1),
            ReadOnly, Low => OWN_THROTTLE;
    }
}
