//! The first records of a cluster: which levels of features it starts with, and what else the
//! directory was formatted with.

use ottla_protocol::messages::{BeginTransactionRecord, EndTransactionRecord, FeatureLevelRecord};

use ottla_config::keys::ottla::metadata_version_level;

use super::{Decision, Reply, Soft, min_isr};
use crate::image::{
    ELIGIBLE_LEADER_REPLICAS, METADATA_VERSION, MetadataImage, SUPPORTED, Supported,
};
use crate::record::MetadataRecord;

/// What Kafka calls the transaction of the first records.
pub const BOOTSTRAP_NAME: &str = "Bootstrap records";

pub(super) fn handle(
    image: &MetadataImage,
    soft: &Soft,
    formatted: Vec<MetadataRecord>,
) -> Decision {
    if !image.features.is_empty() {
        return Decision::answer(Reply::Done);
    }
    let (levels, others): (Vec<_>, Vec<_>) =
        formatted.into_iter().partition(|r| matches!(r, MetadataRecord::FeatureLevel(_)));
    let mut levels: Vec<_> = levels.into_iter().filter_map(served_level).collect();
    if !levels.iter().any(|level| *level.name == *METADATA_VERSION) {
        levels = own_levels(soft);
    }
    let begin = BeginTransactionRecord { name: Some(BOOTSTRAP_NAME.into()), ..Default::default() };
    let mut records = vec![begin.into()];
    let is_eligible = levels.iter().any(|level| *level.name == *ELIGIBLE_LEADER_REPLICAS);
    records.extend(levels.into_iter().map(MetadataRecord::from));
    records.extend(others);
    if is_eligible {
        records.append(&mut min_isr::one_for_the_cluster(image, soft));
    }
    records.push(EndTransactionRecord::default().into());
    Decision { records, reply: Reply::Done }
}

/// What this node would start a cluster with, as far as the level asked for has it: older nodes may be
/// asked to join (`ottla.metadata.version`).
fn own_levels(soft: &Soft) -> Vec<FeatureLevelRecord> {
    let asked = metadata_version_level(&soft.config.ottla.metadata_version);
    let own = SUPPORTED.iter().find(|feature| feature.name == METADATA_VERSION);
    let version = own.map_or(0, |own| asked.unwrap_or(own.initial).clamp(own.min, own.max));
    let initial = |feature: &Supported| match feature.name {
        METADATA_VERSION => version,
        _ if version < feature.since => 0,
        _ => feature.initial,
    };
    let levels = SUPPORTED.iter().map(|feature| (feature.name, initial(feature)));
    let levels = levels.filter(|(_, level)| *level > 0);
    levels.map(|(name, level)| record(name, level)).collect()
}

/// A level that the directory was formatted with, as high as this node serves it: a cluster must not
/// agree on what its first node lacks.
fn served_level(formatted: MetadataRecord) -> Option<FeatureLevelRecord> {
    let MetadataRecord::FeatureLevel(formatted) = formatted else { return None };
    let own = SUPPORTED.iter().find(|own| *formatted.name == *own.name)?;
    let level = formatted.feature_level.min(own.max);
    (level > 0).then(|| record(own.name, level))
}

fn record(name: &'static str, feature_level: i16) -> FeatureLevelRecord {
    FeatureLevelRecord { name: name.into(), feature_level, ..Default::default() }
}
