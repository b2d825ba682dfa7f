//! Tests of `snapshot`.

use super::BrokerConfig;

#[test]
fn the_defaults_build() {
    let config = BrokerConfig::defaults();
    assert_eq!(config.node_id, 1);
    assert_eq!(config.data_dir, "./ottla-data");
    assert_eq!(config.topic_defaults.retention_ms, 604_800_000);
    assert_eq!(config.topic_defaults.segment_ms, 604_800_000);
    assert_eq!(config.topic_defaults.flush_ms, i64::MAX);
    assert_eq!(config.topic_defaults.segment_jitter_ms, 0);
}
