//! Which operations a client may perform, as a set of bits. Without an authorizer, all that exist.

/// What an answer holds when nobody asked.
pub(crate) const NOT_ASKED: i32 = i32::MIN;

/// Kafka's codes: read, write, create, delete, alter, describe, describe and alter configs.
pub(crate) const TOPIC: i32 = set(&[3, 4, 5, 6, 7, 8, 10, 11]);

/// Kafka's codes: create, alter, describe, cluster action, describe and alter configs, idempotent
/// write.
pub(crate) const CLUSTER: i32 = set(&[5, 7, 8, 9, 10, 11, 12]);

const fn set(codes: &[u32]) -> i32 {
    let mut bits = 0;
    let mut at = 0;
    while at < codes.len() {
        bits |= 1 << codes[at];
        at += 1;
    }
    bits
}
