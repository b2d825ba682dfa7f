//! The first records of a cluster: which levels of features it starts with.

use ottla_protocol::messages::{BeginTransactionRecord, EndTransactionRecord, FeatureLevelRecord};

use super::{Decision, Reply};
use crate::image::{MetadataImage, SUPPORTED};

/// What Kafka calls the transaction of the first records.
pub const BOOTSTRAP_NAME: &str = "Bootstrap records";

pub(super) fn handle(image: &MetadataImage) -> Decision {
    if !image.features.is_empty() {
        return Decision::answer(Reply::Done);
    }
    let begin = BeginTransactionRecord { name: Some(BOOTSTRAP_NAME.into()), ..Default::default() };
    let levels = SUPPORTED.iter().filter(|feature| feature.initial > 0).map(|feature| {
        FeatureLevelRecord {
            name: feature.name.into(),
            feature_level: feature.initial,
            ..Default::default()
        }
        .into()
    });
    let mut records = vec![begin.into()];
    records.extend(levels);
    records.push(EndTransactionRecord::default().into());
    Decision { records, reply: Reply::Done }
}
