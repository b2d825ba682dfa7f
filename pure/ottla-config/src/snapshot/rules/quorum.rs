//! Roles, voters and controller listeners must fit together: otherwise a cluster forms in halves, or
//! never, and nobody says why.

use super::super::{BrokerConfig, ConfigError};

const ROLES: &str = "process.roles";
const VOTERS: &str = "controller.quorum.voters";
const NAMES: &str = "controller.listener.names";

impl BrokerConfig {
    pub(super) fn quorum_rules(&self, errors: &mut Vec<ConfigError>) {
        if !self.is_broker() && !self.is_controller() {
            let message = "a node is a broker, a controller or both; \
                           set process.roles=broker,controller or remove it";
            self.refuse(ROLES, message, errors);
            return;
        }
        self.voters_differ(errors);
        self.is_among_voters(errors);
        if self.is_controller() {
            self.controller_can_be_reached(errors);
        } else {
            self.broker_finds_the_quorum(errors);
        }
        self.listeners_fit_roles(errors);
    }

    /// Two voters of one id, or at one address, would be one voter with two votes.
    fn voters_differ(&self, errors: &mut Vec<ConfigError>) {
        let voters = &self.quorum.voters;
        for (at, voter) in voters.iter().enumerate() {
            for earlier in &voters[..at] {
                let same = match voter.id == earlier.id {
                    true => format!("have the same id, {}", voter.id),
                    false if voter.address() == earlier.address() => {
                        "have the same address".to_owned()
                    }
                    false => continue,
                };
                let message = format!("{earlier} and {voter} {same}; each voter needs its own");
                self.refuse(VOTERS, message, errors);
            }
        }
    }

    fn is_among_voters(&self, errors: &mut Vec<ConfigError>) {
        let voters = &self.quorum.voters;
        let id = self.node_id;
        let is_voter = voters.iter().any(|voter| voter.id == id);
        if voters.is_empty() || is_voter == self.is_controller() {
            return;
        }
        let words: Vec<String> = voters.iter().map(ToString::to_string).collect();
        let named = words.join(",");
        let message = if is_voter {
            format!(
                "this node, whose node.id is {id}, is among the voters {named}, but has not the \
                 controller role; set process.roles=broker,controller, or take it out of the list"
            )
        } else {
            format!(
                "this node, whose node.id is {id}, has the controller role, but is not among the \
                 voters {named}; add {id}@host:port on every node, set the right node.id, or set \
                 process.roles=broker"
            )
        };
        self.refuse(VOTERS, message, errors);
    }

    /// Other nodes speak to a controller by a listener of its own.
    fn controller_can_be_reached(&self, errors: &mut Vec<ConfigError>) {
        let names = &self.listener.controller_listener_names;
        for name in names {
            if !self.listeners.iter().any(|own| own.name.eq_ignore_ascii_case(name)) {
                let message = format!(
                    "{name} is not among the listeners; add {name}://:9093 to listeners, or take \
                     the name away"
                );
                self.refuse(NAMES, message, errors);
            }
        }
        let is_quorum = self.has_peers() || !self.quorum.bootstrap_servers.is_empty();
        if names.is_empty() && is_quorum {
            let message = "other nodes cannot reach this controller: it has no listener for them; \
                           set controller.listener.names=CONTROLLER and add CONTROLLER://:9093 to \
                           listeners";
            self.refuse(NAMES, message, errors);
        }
    }

    fn broker_finds_the_quorum(&self, errors: &mut Vec<ConfigError>) {
        if self.quorum.voters.is_empty() && self.quorum.bootstrap_servers.is_empty() {
            let message = "a node without the controller role needs to know where the controllers \
                           are; set controller.quorum.bootstrap.servers=host:port, or \
                           controller.quorum.voters as the controllers have it";
            self.refuse("controller.quorum.bootstrap.servers", message, errors);
        }
        for listener in self.listeners.iter().filter(|listener| listener.is_controller) {
            let message = format!(
                "{} is among the listeners, but this node has not the controller role; take it out \
                 of listeners, or set process.roles=broker,controller",
                listener.name
            );
            self.refuse(NAMES, message, errors);
        }
    }

    fn listeners_fit_roles(&self, errors: &mut Vec<ConfigError>) {
        let clients: Vec<&str> = self
            .listeners
            .iter()
            .filter(|listener| !listener.is_controller)
            .map(|listener| listener.name.as_str())
            .collect();
        if self.is_broker() && clients.is_empty() {
            let message = "every listener belongs to the controller, none to clients";
            self.refuse("listeners", message, errors);
        }
        if !self.is_broker() && !clients.is_empty() {
            let message = format!(
                "{} is for clients, but this node has only the controller role; take it out, name \
                 it in controller.listener.names, or set process.roles=broker,controller",
                clients.join(", ")
            );
            self.refuse("listeners", message, errors);
        }
    }
}
