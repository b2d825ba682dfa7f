//! Rules between keys: what no key can say alone. Checks a whole snapshot, changes nothing.

use super::{BrokerConfig, ConfigError};
use crate::listener::SecurityProtocol;

impl BrokerConfig {
    /// Everything that is wrong between the keys.
    pub(super) fn rules(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        self.ordered_limits(&mut errors);
        self.roles_and_quorum(&mut errors);
        self.what_is_served(&mut errors);
        self.inter_broker(&mut errors);
        errors
    }

    fn refuse(&self, key: &str, message: impl Into<String>, errors: &mut Vec<ConfigError>) {
        let origin = self.layers.fixed(key).map(|setting| setting.origin.clone());
        let message = format!("{key}: {}", message.into());
        errors.push(ConfigError { key: key.to_owned(), origin, message, expected: None });
    }

    /// Pairs of keys of which the first may not be above the second.
    fn ordered_limits(&self, errors: &mut Vec<ConfigError>) {
        let group = &self.group;
        let pairs = [
            (
                "group.min.session.timeout.ms",
                group.min_session_timeout_ms,
                "group.max.session.timeout.ms",
                group.max_session_timeout_ms,
            ),
            (
                "group.consumer.min.session.timeout.ms",
                group.consumer_min_session_timeout_ms,
                "group.consumer.session.timeout.ms",
                group.consumer_session_timeout_ms,
            ),
            (
                "group.consumer.session.timeout.ms",
                group.consumer_session_timeout_ms,
                "group.consumer.max.session.timeout.ms",
                group.consumer_max_session_timeout_ms,
            ),
            (
                "group.consumer.min.heartbeat.interval.ms",
                group.consumer_min_heartbeat_interval_ms,
                "group.consumer.heartbeat.interval.ms",
                group.consumer_heartbeat_interval_ms,
            ),
            (
                "group.consumer.heartbeat.interval.ms",
                group.consumer_heartbeat_interval_ms,
                "group.consumer.max.heartbeat.interval.ms",
                group.consumer_max_heartbeat_interval_ms,
            ),
            (
                "group.consumer.heartbeat.interval.ms",
                group.consumer_heartbeat_interval_ms,
                "group.consumer.session.timeout.ms",
                group.consumer_session_timeout_ms,
            ),
            (
                "broker.heartbeat.interval.ms",
                self.node.broker_heartbeat_interval_ms,
                "broker.session.timeout.ms",
                self.node.broker_session_timeout_ms,
            ),
        ];
        for (low_key, low, high_key, high) in pairs {
            if low > high {
                self.refuse(
                    low_key,
                    format!("{low} must not be above {high_key}, which is {high}"),
                    errors,
                );
            }
        }
    }

    fn roles_and_quorum(&self, errors: &mut Vec<ConfigError>) {
        let has = |role: &str| self.node.process_roles.iter().any(|own| own == role);
        if !has("broker") || !has("controller") {
            let said = self.node.process_roles.join(",");
            let message = format!(
                "this version runs broker and controller in one node, not \"{said}\"; \
                 set process.roles=broker,controller or remove it"
            );
            self.refuse("process.roles", message, errors);
        }
        let voters = &self.quorum.voters;
        if voters.len() > 1 {
            let message = format!(
                "{} voters are named, but this version runs one node and joins no cluster; \
                 name this node alone or remove the key",
                voters.len()
            );
            self.refuse("controller.quorum.voters", message, errors);
        } else if let [voter] = voters.as_slice()
            && voter.split_once('@').and_then(|(id, _)| id.parse().ok()) != Some(self.node_id)
        {
            let message = format!(
                "{voter} is not this node, whose node.id is {}; expected {}@host:port",
                self.node_id, self.node_id
            );
            self.refuse("controller.quorum.voters", message, errors);
        }
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
        let dirs = &self.log.dirs;
        if dirs.len() > 1 {
            let message =
                format!("{} folders are named, but Ottla keeps everything in one", dirs.len());
            self.refuse("log.dirs", message, errors);
        }
        if self.data_dir.is_empty() {
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
        if !self.listeners.iter().any(|listener| !listener.is_controller) {
            self.refuse(
                "listeners",
                "every listener belongs to the controller, none to clients",
                errors,
            );
        }
    }
}
