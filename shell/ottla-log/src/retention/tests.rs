//! Retention's plan against a step-by-step reading of the rules, and the rules one by one.

use proptest::prelude::*;

use super::*;
use crate::config::CleanupPolicy;

fn facts() -> impl Strategy<Value = (Vec<SegmentFacts>, Bounds)> {
    let one = (1..50i64, 0..100u64, -1..200i64, 0..200i64);
    (prop::collection::vec(one, 1..8), 0.0..=1.0f64, 0.0..=1.0f64).prop_map(|(raw, low, high)| {
        let mut base = 0;
        let mut segments = Vec::new();
        for (count, size, max_timestamp, modified_ms) in raw {
            segments.push(SegmentFacts { base_offset: base, size, max_timestamp, modified_ms });
            base += count;
        }
        let high_watermark = (base as f64 * high) as i64;
        let log_start = (high_watermark as f64 * low) as i64;
        (segments, Bounds { log_start, high_watermark, log_end: base })
    })
}

fn config() -> impl Strategy<Value = LogConfig> {
    (-1..300i64, -1..150i64, any::<bool>()).prop_map(|(bytes, ms, delete)| LogConfig {
        retention_bytes: bytes,
        retention_ms: ms,
        cleanup_policy: CleanupPolicy { delete, compact: !delete },
        ..LogConfig::default()
    })
}

proptest! {
    #[test]
    fn never_above_the_high_watermark((segments, at) in facts(), config in config(), now in 0..400i64) {
        let plan = plan(&segments, &at, now, &config);
        prop_assert!(plan.new_log_start >= at.log_start);
        prop_assert!(plan.new_log_start <= at.high_watermark);
        prop_assert_eq!(plan.roll_active, plan.delete.len() == segments.len());
        if !config.cleanup_policy.delete {
            prop_assert!(plan.delete.iter().all(|why| *why == Breach::LogStart));
        }
    }

    #[test]
    fn what_is_kept_had_a_reason((segments, at) in facts(), config in config(), now in 0..400i64) {
        let plan = plan(&segments, &at, now, &config);
        let kept = &segments[plan.delete.len()..];
        if let Some(first) = kept.first() {
            let next = kept.get(1);
            let upper = next.map_or(at.log_end, |next| next.base_offset);
            let free = at.high_watermark >= upper && !(next.is_none() && first.size == 0);
            let size: u64 = kept.iter().map(|segment| segment.size).sum();
            if free && config.cleanup_policy.delete {
                let aged = config.retention_ms >= 0
                    && now - first.largest_timestamp() > config.retention_ms;
                prop_assert!(!aged);
                if plan.delete.iter().all(|why| *why != Breach::Time) && config.retention_bytes >= 0 {
                    let excess = size as i64 - config.retention_bytes;
                    prop_assert!(excess <= 0 || excess < first.size as i64);
                }
            }
        }
    }
}

const AT: Bounds = Bounds { log_start: 0, high_watermark: 30, log_end: 30 };

fn three() -> Vec<SegmentFacts> {
    (0..3)
        .map(|i| SegmentFacts {
            base_offset: i * 10,
            size: 100,
            max_timestamp: i * 1000,
            modified_ms: 0,
        })
        .collect()
}

#[test]
fn all_expired_rolls_the_active_segment() {
    let config = LogConfig { retention_ms: 10, ..LogConfig::default() };
    let plan = plan(&three(), &AT, 5000, &config);
    assert_eq!(plan, Plan { delete: vec![Breach::Time; 3], roll_active: true, new_log_start: 30 });
}

#[test]
fn a_future_timestamp_stops_deletion_by_time() {
    let mut segments = three();
    segments[0].max_timestamp = 1 << 50;
    let config = LogConfig { retention_ms: 10, ..LogConfig::default() };
    assert_eq!(plan(&segments, &AT, 5000, &config).delete, []);
}

#[test]
fn an_empty_active_segment_stays() {
    let mut segments = three();
    segments.push(SegmentFacts { base_offset: 30, size: 0, max_timestamp: -1, modified_ms: 0 });
    let config = LogConfig { retention_ms: 0, ..LogConfig::default() };
    let plan = plan(&segments, &AT, 5000, &config);
    assert_eq!((plan.delete.len(), plan.roll_active, plan.new_log_start), (3, false, 30));
}

#[test]
fn size_keeps_at_least_the_limit() {
    let config = LogConfig { retention_bytes: 150, retention_ms: -1, ..LogConfig::default() };
    assert_eq!(plan(&three(), &AT, 0, &config).delete, [Breach::Size]);
    let config = LogConfig { retention_bytes: 300, retention_ms: -1, ..LogConfig::default() };
    assert_eq!(plan(&three(), &AT, 0, &config).delete, []);
}

#[test]
fn a_compacted_topic_loses_only_what_lies_before_its_start() {
    let config = LogConfig {
        retention_ms: 0,
        cleanup_policy: CleanupPolicy { delete: false, compact: true },
        ..LogConfig::default()
    };
    let at = Bounds { log_start: 20, ..AT };
    let plan = plan(&three(), &at, 5000, &config);
    assert_eq!((plan.delete, plan.new_log_start), (vec![Breach::LogStart; 2], 20));
}
