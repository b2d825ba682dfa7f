//! Which partition of the offsets topic a group belongs to. Kafka's rule, which clients never see.

/// Java's `String.hashCode`, without its sign, modulo the number of partitions.
pub(super) fn partition_of(group: &str, partitions: usize) -> i32 {
    let hash =
        group.encode_utf16().fold(0_i32, |h, unit| h.wrapping_mul(31).wrapping_add(unit.into()));
    // Java cannot negate the least int and takes 0 for it.
    let hash = hash.checked_abs().unwrap_or(0);
    let partitions = i32::try_from(partitions).unwrap_or(i32::MAX).max(1);
    hash % partitions
}

#[cfg(test)]
mod tests {
    use super::partition_of;

    /// Values from Java.
    #[test]
    fn groups_fall_where_java_puts_them() {
        // "g1".hashCode() == 3242, "consumer" == -567770122, "Größe" == 69047018
        assert_eq!(partition_of("g1", 50), 3242 % 50);
        assert_eq!(partition_of("consumer", 50), 567_770_122 % 50);
        assert_eq!(partition_of("", 50), 0);
        // The text whose hash is the least int.
        assert_eq!(partition_of("polygenelubricants", 50), 0);
        assert_eq!(partition_of("g1", 0), 0);
    }
}
