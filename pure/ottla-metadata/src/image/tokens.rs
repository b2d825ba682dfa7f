//! Delegation tokens as they were issued; their secret is computed elsewhere, never kept.

use ottla_protocol::Str;
use ottla_protocol::messages::DelegationTokenRecord;

use crate::shared_map::SharedMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationToken {
    pub owner: Str,
    pub requester: Str,
    pub renewers: Vec<Str>,
    pub issue_timestamp_ms: i64,
    pub max_timestamp_ms: i64,
    pub expiration_timestamp_ms: i64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct DelegationTokens {
    by_id: SharedMap<Str, DelegationToken>,
}

impl DelegationTokens {
    pub fn get(&self, token_id: &str) -> Option<&DelegationToken> {
        self.by_id.get(token_id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Str, &DelegationToken)> {
        self.by_id.iter()
    }

    pub(super) fn set(&mut self, record: &DelegationTokenRecord) {
        let token = DelegationToken {
            owner: record.owner.detach(),
            requester: record.requester.detach(),
            renewers: record.renewers.iter().map(Str::detach).collect(),
            issue_timestamp_ms: record.issue_timestamp,
            max_timestamp_ms: record.max_timestamp,
            expiration_timestamp_ms: record.expiration_timestamp,
        };
        self.by_id.insert(record.token_id.detach(), token);
    }

    pub(super) fn remove(&mut self, token_id: &str) {
        self.by_id.remove(token_id);
    }
}
