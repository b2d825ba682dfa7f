//! The machine's settings from the broker's configuration. Nothing is decided here but units.

use ottla_config::BrokerConfig;
use ottla_coordinator::GroupSettings;

pub(super) fn group_settings(config: &BrokerConfig, live_brokers: usize) -> GroupSettings {
    let group = &config.group;
    GroupSettings {
        min_session_timeout_ms: group.min_session_timeout_ms,
        max_session_timeout_ms: group.max_session_timeout_ms,
        max_size: usize::try_from(group.max_size).unwrap_or(1),
        initial_rebalance_delay_ms: config.initial_rebalance_delay_ms(live_brokers),
        offset_metadata_max: usize::try_from(group.offset_metadata_max_bytes).unwrap_or(0),
        offsets_retention_ms: i64::from(group.offsets_retention_minutes) * 60_000,
        offsets_retention_check_interval_ms: group.offsets_retention_check_interval_ms,
        ..GroupSettings::default()
    }
}
