//! The first records of a cluster: which levels of features it starts with.

use ottla_protocol::messages::{BeginTransactionRecord, EndTransactionRecord, FeatureLevelRecord};

use ottla_config::keys::ottla::metadata_version_level;

use super::{Decision, Reply, Soft};
use crate::image::{METADATA_VERSION, MetadataImage, SUPPORTED, Supported};

/// What Kafka calls the transaction of the first records.
pub const BOOTSTRAP_NAME: &str = "Bootstrap records";

pub(super) fn handle(image: &MetadataImage, soft: &Soft) -> Decision {
    if !image.features.is_empty() {
        return Decision::answer(Reply::Done);
    }
    let begin = BeginTransactionRecord { name: Some(BOOTSTRAP_NAME.into()), ..Default::default() };
    // Older nodes may be asked to join (`ottla.metadata.version`).
    let asked = metadata_version_level(&soft.config.ottla.metadata_version);
    let initial = |feature: &Supported| match asked {
        Some(level) if feature.name == METADATA_VERSION => level.clamp(feature.min, feature.max),
        _ => feature.initial,
    };
    let levels = SUPPORTED.iter().filter(|feature| initial(feature) > 0).map(|feature| {
        FeatureLevelRecord {
            name: feature.name.into(),
            feature_level: initial(feature),
            ..Default::default()
        }
        .into()
    });
    let mut records = vec![begin.into()];
    records.extend(levels);
    records.push(EndTransactionRecord::default().into());
    Decision { records, reply: Reply::Done }
}
