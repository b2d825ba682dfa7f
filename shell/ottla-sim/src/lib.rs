//! Whole brokers from a seed: workloads, faults, checkers.
