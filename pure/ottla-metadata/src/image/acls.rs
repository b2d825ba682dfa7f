//! Access control entries as they were written. Authorizes nobody.

use ottla_protocol::messages::AccessControlEntryRecord;
use ottla_protocol::{Str, Uuid};

use crate::shared_map::SharedMap;

/// One entry, with Kafka's codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    pub resource_type: i8,
    pub resource_name: Str,
    pub pattern_type: i8,
    pub principal: Str,
    pub host: Str,
    pub operation: i8,
    pub permission_type: i8,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Acls {
    by_id: SharedMap<Uuid, Acl>,
}

impl Acls {
    pub fn iter(&self) -> impl Iterator<Item = (&Uuid, &Acl)> {
        self.by_id.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn add(&mut self, record: &AccessControlEntryRecord) {
        let acl = Acl {
            resource_type: record.resource_type,
            resource_name: record.resource_name.detach(),
            pattern_type: record.pattern_type,
            principal: record.principal.detach(),
            host: record.host.detach(),
            operation: record.operation,
            permission_type: record.permission_type,
        };
        self.by_id.insert(record.id, acl);
    }

    pub(super) fn remove(&mut self, id: Uuid) {
        self.by_id.remove(&id);
    }
}
