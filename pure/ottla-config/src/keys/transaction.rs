//! Keys of the transaction coordinator.

use crate::check::{Check, at_least};
use crate::keys::reason::NO_TRANSACTIONS;

keys! {
    /// The transaction coordinator.
    TransactionConfig in Broker;
    fields {
    }
    shared {
    }
    accepted {
        /// Longest pause while a partition's transaction is still completing.
        Int "add.partitions.to.txn.retry.backoff.max.ms" = "100", at_least(0),
            ReadOnly, High => NO_TRANSACTIONS;
        /// Pause while a partition's transaction is still completing.
        Int "add.partitions.to.txn.retry.backoff.ms" = "20", at_least(1),
            ReadOnly, High => NO_TRANSACTIONS;
        /// How often timed-out transactions are looked for.
        Int "transaction.abort.timed.out.transaction.cleanup.interval.ms" = "10000",
            at_least(1), ReadOnly, Low => NO_TRANSACTIONS;
        /// Longest transaction timeout a producer may ask for.
        Int "transaction.max.timeout.ms" = "900000", at_least(1), ReadOnly, High => NO_TRANSACTIONS;
        /// Whether a transactional write is checked against the coordinator.
        Boolean "transaction.partition.verification.enable" = "true", Check::Any,
            ClusterWide, Low => NO_TRANSACTIONS;
        /// How often expired transactional ids are looked for.
        Int "transaction.remove.expired.transaction.cleanup.interval.ms" = "3600000",
            at_least(1), ReadOnly, Low => NO_TRANSACTIONS;
        /// Bytes read at a time when transactions are loaded.
        Int "transaction.state.log.load.buffer.size" = "5242880", at_least(1),
            ReadOnly, High => NO_TRANSACTIONS;
        /// min.insync.replicas of the transaction topic.
        Int "transaction.state.log.min.isr" = "2", at_least(1), ReadOnly, High => NO_TRANSACTIONS;
        /// Partitions of the transaction topic.
        Int "transaction.state.log.num.partitions" = "50", at_least(1),
            ReadOnly, High => NO_TRANSACTIONS;
        /// Replicas of the transaction topic; Ottla clamps it to the live brokers.
        Short "transaction.state.log.replication.factor" = "3", at_least(1),
            ReadOnly, High => NO_TRANSACTIONS;
        /// Segment size of the transaction topic.
        Int "transaction.state.log.segment.bytes" = "104857600", at_least(1),
            ReadOnly, High => NO_TRANSACTIONS;
        /// Whether producers may take part in two-phase commit.
        Boolean "transaction.two.phase.commit.enable" = "false", Check::Any,
            ReadOnly, Low => NO_TRANSACTIONS;
        /// How long an idle transactional id is remembered.
        Int "transactional.id.expiration.ms" = "604800000", at_least(1),
            ReadOnly, High => NO_TRANSACTIONS;
    }
}
