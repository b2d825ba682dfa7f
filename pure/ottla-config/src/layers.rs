//! What was said about each key, and by whom. Never decides what a value means.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::setting::Setting;

/// The settings a node was started with, and over them what the cluster's metadata says. Cheap to
/// clone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layers {
    /// All settings of a key, the one that wins first.
    fixed: Arc<BTreeMap<String, Vec<Setting>>>,
    dynamic_broker: Arc<BTreeMap<String, String>>,
    dynamic_default: Arc<BTreeMap<String, String>>,
}

impl Layers {
    /// Flags win over the environment, that over files; among equals the later one wins.
    pub fn new(settings: impl IntoIterator<Item = Setting>) -> Self {
        let mut fixed: BTreeMap<String, Vec<Setting>> = BTreeMap::new();
        for setting in settings {
            fixed.entry(setting.key.clone()).or_default().push(setting);
        }
        for said in fixed.values_mut() {
            said.reverse();
            said.sort_by_key(|setting| std::cmp::Reverse(setting.origin.rank()));
        }
        Self { fixed: Arc::new(fixed), ..Self::default() }
    }

    /// The same start with the given dynamic values, those of this broker and those of all brokers.
    pub fn with_dynamic(
        &self,
        broker: BTreeMap<String, String>,
        default: BTreeMap<String, String>,
    ) -> Self {
        Self {
            fixed: Arc::clone(&self.fixed),
            dynamic_broker: Arc::new(broker),
            dynamic_default: Arc::new(default),
        }
    }

    /// Every setting of a key the node was started with, the one that wins first.
    pub fn said(&self, key: &str) -> &[Setting] {
        self.fixed.get(key).map_or(&[], Vec::as_slice)
    }

    /// The setting of a key the node was started with.
    pub fn fixed(&self, key: &str) -> Option<&Setting> {
        self.said(key).first()
    }

    /// The setting that wins, of each key that was set at start.
    pub fn fixed_settings(&self) -> impl Iterator<Item = &Setting> {
        self.fixed.values().filter_map(|said| said.first())
    }

    pub fn dynamic_broker(&self) -> &BTreeMap<String, String> {
        &self.dynamic_broker
    }

    pub fn dynamic_default(&self) -> &BTreeMap<String, String> {
        &self.dynamic_default
    }

    /// Whether anybody set the key, at start or since.
    pub fn is_set(&self, key: &str) -> bool {
        self.set_value(key).is_some()
    }

    /// The value in effect among those that were set.
    pub fn set_value(&self, key: &str) -> Option<&str> {
        let dynamic = self.dynamic_broker.get(key).or_else(|| self.dynamic_default.get(key));
        dynamic.map(String::as_str).or_else(|| self.fixed(key).map(|said| said.value.as_str()))
    }
}
