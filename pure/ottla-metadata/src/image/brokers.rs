//! The brokers that registered: where they listen, what they support, and whether they may serve.

use std::collections::BTreeMap;

use ottla_protocol::messages::{
    BrokerRegistrationChangeRecord, RegisterBrokerRecord, UnregisterBrokerRecord,
};
use ottla_protocol::{Str, Uuid};

use super::{ReplayError, directory};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub name: Str,
    pub host: Str,
    pub port: u16,
    /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// Levels of a feature that a node can work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SupportedRange {
    pub min: i16,
    pub max: i16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    pub id: i32,
    /// Offset of the registration in the metadata log: a later life of the broker has a higher one.
    pub epoch: i64,
    /// Made anew by each process of the broker.
    pub incarnation_id: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub features: BTreeMap<Str, SupportedRange>,
    pub rack: Option<Str>,
    /// Registered, but may not lead or serve yet.
    pub fenced: bool,
    pub in_controlled_shutdown: bool,
    pub log_dirs: Vec<Uuid>,
    pub cordoned_log_dirs: Vec<Uuid>,
}

impl Broker {
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// Whether a replica kept in this directory can be served.
    pub fn has_online_dir(&self, directory: Uuid) -> bool {
        directory::is_online(directory, &self.log_dirs)
    }

    /// Every directory is closed to new replicas (KIP-1066).
    pub fn is_cordoned(&self) -> bool {
        let dirs = &self.log_dirs;
        !dirs.is_empty() && dirs.iter().all(|dir| self.cordoned_log_dirs.contains(dir))
    }

    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name == *listener)
    }
}

/// There are few brokers and many readers: a plain map inside shared memory would gain nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Brokers {
    by_id: BTreeMap<i32, Broker>,
}

impl Brokers {
    pub fn get(&self, id: i32) -> Option<&Broker> {
        self.by_id.get(&id)
    }

    /// In the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = &Broker> {
        self.by_id.values()
    }

    pub fn is_active(&self, id: i32) -> bool {
        self.by_id.get(&id).is_some_and(Broker::is_active)
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn register(&mut self, record: &RegisterBrokerRecord) {
        let endpoints = record.end_points.iter().map(|endpoint| Endpoint {
            name: endpoint.name.detach(),
            host: endpoint.host.detach(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        });
        let features = record.features.iter().map(|feature| {
            let range = SupportedRange {
                min: feature.min_supported_version,
                max: feature.max_supported_version,
            };
            (feature.name.detach(), range)
        });
        let broker = Broker {
            id: record.broker_id,
            epoch: record.broker_epoch,
            incarnation_id: record.incarnation_id,
            endpoints: endpoints.collect(),
            features: features.collect(),
            rack: record.rack.as_ref().map(Str::detach),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            log_dirs: record.log_dirs.clone(),
            cordoned_log_dirs: record.cordoned_log_dirs.clone().unwrap_or_default(),
        };
        self.by_id.insert(broker.id, broker);
    }

    pub(super) fn unregister(
        &mut self,
        record: &UnregisterBrokerRecord,
    ) -> Result<(), ReplayError> {
        self.checked(record.broker_id, record.broker_epoch)?;
        self.by_id.remove(&record.broker_id);
        Ok(())
    }

    pub(super) fn set_fenced(
        &mut self,
        id: i32,
        epoch: i64,
        fenced: bool,
    ) -> Result<(), ReplayError> {
        self.checked(id, epoch)?.fenced = fenced;
        Ok(())
    }

    pub(super) fn change(
        &mut self,
        record: &BrokerRegistrationChangeRecord,
    ) -> Result<(), ReplayError> {
        let broker = self.checked(record.broker_id, record.broker_epoch)?;
        // 1 fences, -1 takes the fence away, 0 leaves it.
        match record.fenced {
            1 => broker.fenced = true,
            -1 => broker.fenced = false,
            _ => {}
        }
        if record.in_controlled_shutdown == 1 {
            broker.in_controlled_shutdown = true;
        }
        if !record.log_dirs.is_empty() {
            broker.log_dirs.clone_from(&record.log_dirs);
        }
        if let Some(cordoned) = &record.cordoned_log_dirs {
            broker.cordoned_log_dirs.clone_from(cordoned);
        }
        Ok(())
    }

    /// A record about an earlier life of a broker would mean that the log is out of order.
    fn checked(&mut self, id: i32, epoch: i64) -> Result<&mut Broker, ReplayError> {
        let broker = self.by_id.get_mut(&id).ok_or(ReplayError::UnknownBroker(id))?;
        if broker.epoch != epoch {
            let registered = broker.epoch;
            return Err(ReplayError::BrokerEpoch { broker: id, registered, record: epoch });
        }
        Ok(broker)
    }
}
