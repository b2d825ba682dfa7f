//! Which producer ids have been handed out in blocks. An id below the next one is never given again.

use ottla_protocol::messages::ProducerIdsRecord;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProducerIds {
    /// First id of the next block.
    pub next_producer_id: i64,
}

impl ProducerIds {
    pub(super) fn apply(&mut self, record: &ProducerIdsRecord) {
        self.next_producer_id = record.next_producer_id;
    }
}
