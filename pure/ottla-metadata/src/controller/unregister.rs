//! UnregisterBroker: a broker that will not come back is forgotten (KIP-500's last step of a
//! decommission). Also RegisterController and UnregisterController, who lead nothing.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::register_controller_record::{ControllerEndpoint, ControllerFeature};
use ottla_protocol::messages::{
    ControllerRegistrationRequest, RegisterControllerRecord, UnregisterBrokerRecord,
    UnregisterControllerRecord,
};

use super::updates::{self, Movement, Progress};
use super::{Decision, RECORDS_MAX, Reply, Soft};
use crate::image::MetadataImage;

/// The broker leaves every ISR, then the cluster. What it is a replica of keeps its number: only a
/// reassignment changes that.
pub(super) fn broker(image: &MetadataImage, soft: &mut Soft, id: i32) -> Decision {
    let Some(broker) = image.brokers.get(id) else {
        let message = format!("Broker ID {id} is not currently registered");
        return Decision::refuse(ErrorCode::BrokerIdNotRegistered, message);
    };
    let mut records = Vec::new();
    let mut leave = |ids: &mut dyn Iterator<Item = _>| {
        let movement = Movement::leaves(id);
        updates::of_partitions_within(image, soft, movement, ids, &mut records, RECORDS_MAX - 1)
    };
    let progress = leave(&mut image.topics.in_sync_of(id));
    let progress = progress.and(leave(&mut image.topics.eligible_of(id)));
    if progress == Progress::More {
        let message = "The partitions of this broker are still being moved; try again.";
        let refusal = super::Refusal::new(ErrorCode::RequestTimedOut, message);
        return Decision { records, reply: Reply::Refused(refusal) };
    }
    let (broker_id, broker_epoch) = (id, broker.epoch);
    let gone = UnregisterBrokerRecord { broker_id, broker_epoch, ..Default::default() };
    records.push(gone.into());
    Decision { records, reply: Reply::Done }
}

pub(super) fn register_controller(
    image: &MetadataImage,
    request: ControllerRegistrationRequest,
) -> Decision {
    if !image.features.has_controller_registration() {
        let message = "The current MetadataVersion is too old to support controller registrations.";
        return Decision::refuse(ErrorCode::UnsupportedVersion, message);
    }
    let end_points = request.listeners.into_iter().map(|listener| ControllerEndpoint {
        name: listener.name,
        host: listener.host,
        port: listener.port,
        security_protocol: listener.security_protocol,
        ..Default::default()
    });
    let features = request.features.into_iter().map(|feature| ControllerFeature {
        name: feature.name,
        min_supported_version: feature.min_supported_version,
        max_supported_version: feature.max_supported_version,
        ..Default::default()
    });
    let record = RegisterControllerRecord {
        controller_id: request.controller_id,
        incarnation_id: request.incarnation_id,
        zk_migration_ready: false,
        end_points: end_points.collect(),
        features: features.collect(),
        ..Default::default()
    };
    Decision { records: vec![record.into()], reply: Reply::Done }
}

/// A controller that left the quorum for good.
pub(super) fn controller(image: &MetadataImage, soft: &Soft, id: i32) -> Decision {
    if id == soft.node_id {
        let message = "Controller cannot unregister itself while it is active.";
        return Decision::refuse(ErrorCode::InvalidRequest, message);
    }
    if !image.features.has_controller_unregistration() {
        let message =
            "The current MetadataVersion is too old to support controller unregistration.";
        return Decision::refuse(ErrorCode::UnsupportedVersion, message);
    }
    if image.controllers.get(id).is_none() {
        let message = format!("Controller ID {id} is not currently registered.");
        return Decision::refuse(ErrorCode::ControllerIdNotRegistered, message);
    }
    let record = UnregisterControllerRecord { controller_id: id, ..Default::default() };
    Decision { records: vec![record.into()], reply: Reply::Done }
}
