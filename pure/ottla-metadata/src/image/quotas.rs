//! Client quotas as they were set. Enforces nothing.

use std::collections::BTreeMap;

use ottla_protocol::Str;
use ottla_protocol::messages::ClientQuotaRecord;

/// The parts of an entity, such as a user and a client id; a part without a name is its default.
pub type QuotaEntity = BTreeMap<Str, Option<Str>>;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quotas {
    by_entity: BTreeMap<QuotaEntity, BTreeMap<Str, f64>>,
}

impl Quotas {
    pub fn get(&self, entity: &QuotaEntity) -> Option<&BTreeMap<Str, f64>> {
        self.by_entity.get(entity)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&QuotaEntity, &BTreeMap<Str, f64>)> {
        self.by_entity.iter()
    }

    pub(super) fn apply(&mut self, record: &ClientQuotaRecord) {
        let parts = record.entity.iter();
        let entity: QuotaEntity = parts
            .map(|part| (part.entity_type.detach(), part.entity_name.as_ref().map(Str::detach)))
            .collect();
        if !record.remove {
            self.by_entity.entry(entity).or_default().insert(record.key.detach(), record.value);
        } else if let Some(quotas) = self.by_entity.get_mut(&entity) {
            quotas.remove(record.key.as_str());
            if quotas.is_empty() {
                self.by_entity.remove(&entity);
            }
        }
    }
}
