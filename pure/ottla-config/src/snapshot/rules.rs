//! Rules between keys: what no key can say alone. Checks a whole snapshot, changes nothing.

mod quorum;

use super::{BrokerConfig, ConfigError};
use crate::listener::SecurityProtocol;

/// Folders a node may have.
const DIRECTORIES_MAX: usize = 64;

/// A key that may not be above another, both with their values.
type Limits = ((&'static str, i64), (&'static str, i64));

impl BrokerConfig {
    /// Everything that is wrong between the keys.
    pub(super) fn rules(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        self.ordered_limits(&mut errors);
        self.names_and_folders(&mut errors);
        self.quorum_rules(&mut errors);
        self.what_is_served(&mut errors);
        self.inter_broker(&mut errors);
        errors
    }

    /// Notes what is wrong, with the place where the key was set.
    fn refuse(&self, key: &str, message: impl Into<String>, errors: &mut Vec<ConfigError>) {
        let origin = self.layers.fixed(key).map(|setting| setting.origin.clone());
        let message = format!("{key}: {}", message.into());
        errors.push(ConfigError { key: key.to_owned(), origin, message, expected: None });
    }

    /// Pairs of keys of which the first may not be above the second.
    fn ordered_limits(&self, errors: &mut Vec<ConfigError>) {
        for ((low_key, low), (high_key, high)) in
            self.group_limits().into_iter().chain(self.node_limits())
        {
            if low > high {
                self.refuse(
                    low_key,
                    format!("{low} must not be above {high_key}, which is {high}"),
                    errors,
                );
            }
        }
    }

    fn group_limits(&self) -> [Limits; 6] {
        let group = &self.group;
        let session =
            ("group.consumer.session.timeout.ms", group.consumer_session_timeout_ms.into());
        let heartbeat =
            ("group.consumer.heartbeat.interval.ms", group.consumer_heartbeat_interval_ms.into());
        [
            (
                ("group.min.session.timeout.ms", group.min_session_timeout_ms.into()),
                ("group.max.session.timeout.ms", group.max_session_timeout_ms.into()),
            ),
            (
                (
                    "group.consumer.min.session.timeout.ms",
                    group.consumer_min_session_timeout_ms.into(),
                ),
                session,
            ),
            (
                session,
                (
                    "group.consumer.max.session.timeout.ms",
                    group.consumer_max_session_timeout_ms.into(),
                ),
            ),
            (
                (
                    "group.consumer.min.heartbeat.interval.ms",
                    group.consumer_min_heartbeat_interval_ms.into(),
                ),
                heartbeat,
            ),
            (
                heartbeat,
                (
                    "group.consumer.max.heartbeat.interval.ms",
                    group.consumer_max_heartbeat_interval_ms.into(),
                ),
            ),
            (heartbeat, session),
        ]
    }

    fn node_limits(&self) -> [Limits; 3] {
        let (node, replication) = (&self.node, &self.replication);
        // A follower whose fetch waits longer than it may lag would leave the ISR for ever.
        let wait = ("replica.fetch.wait.max.ms", replication.replica_fetch_wait_max_ms.into());
        [
            (
                ("broker.heartbeat.interval.ms", node.broker_heartbeat_interval_ms.into()),
                ("broker.session.timeout.ms", node.broker_session_timeout_ms.into()),
            ),
            (wait, ("replica.lag.time.max.ms", replication.replica_lag_time_max_ms)),
            (wait, ("replica.socket.timeout.ms", replication.replica_socket_timeout_ms.into())),
        ]
    }

    fn names_and_folders(&self, errors: &mut Vec<ConfigError>) {
        if self.layers.is_set("node.id")
            && self.node.broker_id >= 0
            && self.node.broker_id != self.node.node_id
        {
            let message = format!(
                "{} must be the same as node.id, {}",
                self.node.broker_id, self.node.node_id
            );
            self.refuse("broker.id", message, errors);
        }
        let all = || std::iter::once(&self.data_dir).chain(&self.more_data_dirs);
        if let Some(twice) = all().find(|dir| all().filter(|other| other == dir).count() > 1) {
            let message = format!("{twice} is named twice; each folder is to be one of its own");
            self.refuse("log.dirs", message, errors);
        }
        if all().count() > DIRECTORIES_MAX {
            let message =
                format!("{} folders are named; {DIRECTORIES_MAX} are the most", all().count());
            self.refuse("log.dirs", message, errors);
        }
        if self.data_dir.is_empty() || self.is_data_dir_apart && self.more_data_dirs.is_empty() {
            self.refuse("log.dirs", "a folder for the data is needed", errors);
        }
    }

    /// Security that was asked for and is not there must stop a start, never be passed over.
    fn what_is_served(&self, errors: &mut Vec<ConfigError>) {
        for listener in &self.listeners {
            if listener.protocol != SecurityProtocol::Plaintext {
                let message = format!(
                    "listener {} asks for {}, which this version does not serve; \
                     only PLAINTEXT is served",
                    listener.name,
                    listener.protocol.name()
                );
                self.refuse("listeners", message, errors);
            }
        }
        let authorizer = &self.security.authorizer_class_name;
        if !authorizer.is_empty() {
            let message = format!(
                "{authorizer} is set, but this version enforces no ACLs; \
                 remove the key to start without authorization"
            );
            self.refuse("authorizer.class.name", message, errors);
        }
    }

    fn inter_broker(&self, errors: &mut Vec<ConfigError>) {
        let named = self.listener.inter_broker_listener_name.is_some();
        if named && self.layers.is_set("security.inter.broker.protocol") {
            let message = "Only one of inter.broker.listener.name and \
                           security.inter.broker.protocol should be set.";
            self.refuse("inter.broker.listener.name", message, errors);
        }
        // A node that is only a controller may name the brokers' listener without having it.
        let named = self.listener.inter_broker_listener_name.as_deref();
        if let Some(name) = named.filter(|_| self.is_broker()) {
            let why = match self.inter_broker_listener() {
                Some(listener) if listener.is_controller => "belongs to the controller",
                Some(_) => return,
                None => "is not one of the listeners",
            };
            self.refuse("inter.broker.listener.name", format!("{name} {why}"), errors);
        }
    }
}
