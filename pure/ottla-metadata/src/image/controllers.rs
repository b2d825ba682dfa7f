//! The controllers that registered and what they support.

use std::collections::BTreeMap;

use ottla_protocol::messages::RegisterControllerRecord;
use ottla_protocol::{Str, Uuid};

use super::{Endpoint, SupportedRange};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerRegistration {
    pub id: i32,
    pub incarnation_id: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub features: BTreeMap<Str, SupportedRange>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Controllers {
    by_id: BTreeMap<i32, ControllerRegistration>,
}

impl Controllers {
    pub fn get(&self, id: i32) -> Option<&ControllerRegistration> {
        self.by_id.get(&id)
    }

    /// In the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = &ControllerRegistration> {
        self.by_id.values()
    }

    pub(super) fn register(&mut self, record: &RegisterControllerRecord) {
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
        let registration = ControllerRegistration {
            id: record.controller_id,
            incarnation_id: record.incarnation_id,
            endpoints: endpoints.collect(),
            features: features.collect(),
        };
        self.by_id.insert(record.controller_id, registration);
    }

    pub(super) fn unregister(&mut self, id: i32) {
        self.by_id.remove(&id);
    }
}
