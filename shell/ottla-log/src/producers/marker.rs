//! The control record that ends a transaction in a partition.

use bytes::Bytes;
use ottla_protocol::records::BatchHeader;
use ottla_protocol::records::control::{ControlRecord, first_of};

use crate::error::Corruption;

/// COMMIT or ABORT, by the coordinator of this epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndMarker {
    pub commit: bool,
    pub coordinator_epoch: i32,
}

/// The marker in a batch; `None` for data and for control records of other kinds.
///
/// # Errors
/// A control batch whose record cannot be read.
pub fn end_marker(header: &BatchHeader, batch: &Bytes) -> Result<Option<EndMarker>, Corruption> {
    if !header.is_control() || !header.has_producer_id() {
        return Ok(None);
    }
    let record = first_of(header, batch).map_err(|error| {
        Corruption::new(0, format!("control batch at offset {}: {error}", header.base_offset))
    })?;
    Ok(match record {
        Some(ControlRecord::Commit(marker)) => {
            Some(EndMarker { commit: true, coordinator_epoch: marker.coordinator_epoch })
        }
        Some(ControlRecord::Abort(marker)) => {
            Some(EndMarker { commit: false, coordinator_epoch: marker.coordinator_epoch })
        }
        _ => None,
    })
}
