//! The APIs: one file each, and the one table that lists them. A handler answers; it never calls
//! another handler.

pub(crate) mod answer;
pub(crate) mod principal;
pub(crate) mod context;
pub(crate) mod nodes;
mod operations;
mod view;
mod led;

mod metadata;
mod alter_configs;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_topic_partitions;
mod incremental_alter_configs;
mod list_config_resources;
pub(crate) mod api_versions;
mod delete_records;
mod describe_log_dirs;
mod describe_producers;
pub(crate) mod fetch;
mod fetch_response;
mod init_producer_id;
mod list_offsets;
mod offset_for_leader_epoch;
pub(crate) mod produce;
mod sasl_authenticate;
mod sasl_handshake;

mod find_coordinator;
mod join_group;
mod sync_group;
mod heartbeat;
mod leave_group;
mod offset_commit;
mod offset_fetch;
mod offset_delete;
mod list_groups;
mod describe_groups;
mod delete_groups;

mod allocate_producer_ids;
mod alter_partition;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod assign_replicas_to_dirs;
mod broker_heartbeat;
mod broker_registration;
mod controller_registration;
mod elect_leaders;
mod list_partition_reassignments;
mod unregister_broker;
mod unregister_controller;
mod update_features;
mod vote;
mod begin_quorum_epoch;
mod end_quorum_epoch;
mod fetch_snapshot;
mod describe_quorum;
mod add_raft_voter;
mod remove_raft_voter;
mod update_raft_voter;

pub(crate) mod table;

pub(crate) mod dispatch;

mod envelope;

pub(crate) mod forward;
