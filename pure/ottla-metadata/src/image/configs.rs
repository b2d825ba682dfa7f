//! What was configured for each resource. Keeps texts; what they mean is ottla-config's matter.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::messages::ConfigRecord;

use super::ReplayError;
use crate::shared_map::SharedMap;

/// The settings of one resource, as ottla-config takes them.
pub type Overrides = BTreeMap<String, String>;

/// Kinds of resources that can be configured, with Kafka's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum ResourceType {
    Topic = 2,
    Broker = 4,
    BrokerLogger = 8,
    ClientMetrics = 16,
    Group = 32,
}

impl ResourceType {
    pub const ALL: [ResourceType; 5] =
        [Self::Topic, Self::Broker, Self::BrokerLogger, Self::ClientMetrics, Self::Group];

    pub fn from_code(code: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|resource_type| resource_type.code() == code)
    }

    pub fn code(self) -> i8 {
        self as i8
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigResource {
    pub resource_type: ResourceType,
    /// Empty for what holds for all brokers.
    pub name: String,
}

impl ConfigResource {
    pub fn topic(name: &str) -> Self {
        Self { resource_type: ResourceType::Topic, name: name.to_owned() }
    }

    pub fn broker(id: i32) -> Self {
        Self { resource_type: ResourceType::Broker, name: id.to_string() }
    }

    /// What holds for every broker that says nothing else.
    pub fn all_brokers() -> Self {
        Self { resource_type: ResourceType::Broker, name: String::new() }
    }

    pub fn group(name: &str) -> Self {
        Self { resource_type: ResourceType::Group, name: name.to_owned() }
    }

    pub fn client_metrics(name: &str) -> Self {
        Self { resource_type: ResourceType::ClientMetrics, name: name.to_owned() }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configs {
    by_resource: SharedMap<ConfigResource, Arc<Overrides>>,
    /// What a resource without settings has, so that reading needs no allocation.
    none: Arc<Overrides>,
}

impl Configs {
    /// Empty for a resource of which nothing was said.
    pub fn get(&self, resource: &ConfigResource) -> &Arc<Overrides> {
        self.by_resource.get(resource).unwrap_or(&self.none)
    }

    pub fn topic(&self, name: &str) -> &Arc<Overrides> {
        self.get(&ConfigResource::topic(name))
    }

    pub fn broker(&self, id: i32) -> &Arc<Overrides> {
        self.get(&ConfigResource::broker(id))
    }

    pub fn all_brokers(&self) -> &Arc<Overrides> {
        self.get(&ConfigResource::all_brokers())
    }

    pub fn group(&self, name: &str) -> &Arc<Overrides> {
        self.get(&ConfigResource::group(name))
    }

    /// Every resource of which something was said, with what was said.
    pub fn iter(&self) -> impl Iterator<Item = (&ConfigResource, &Arc<Overrides>)> {
        self.by_resource.iter()
    }

    pub fn contains(&self, resource: &ConfigResource) -> bool {
        self.by_resource.contains_key(resource)
    }

    pub(super) fn apply(&mut self, record: &ConfigRecord) -> Result<(), ReplayError> {
        let resource_type = ResourceType::from_code(record.resource_type)
            .ok_or(ReplayError::UnknownResourceType(record.resource_type))?;
        let resource = ConfigResource { resource_type, name: record.resource_name.to_string() };
        match &record.value {
            Some(value) => {
                let (name, value) = (record.name.to_string(), value.to_string());
                match self.by_resource.get_mut(&resource) {
                    Some(overrides) => drop(Arc::make_mut(overrides).insert(name, value)),
                    None => {
                        let overrides = Arc::new(Overrides::from([(name, value)]));
                        self.by_resource.insert(resource, overrides);
                    }
                }
            }
            None => {
                if let Some(overrides) = self.by_resource.get_mut(&resource) {
                    Arc::make_mut(overrides).remove(record.name.as_str());
                    if overrides.is_empty() {
                        self.by_resource.remove(&resource);
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn remove_resource(&mut self, resource: &ConfigResource) {
        self.by_resource.remove(resource);
    }
}
