//! UpdateFeatures (KIP-584, KIP-778): the cluster agrees on another level of a feature, if every
//! broker and controller can work with it. All updates of a request hold, or none does.

use std::collections::BTreeMap;

use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::update_features_response::UpdatableFeatureResult;
use ottla_protocol::messages::{FeatureLevelRecord, UpdateFeaturesRequest, UpdateFeaturesResponse};
use ottla_protocol::{ErrorCode, Str};

use super::refusal::Refusal;
use super::{Decision, Reply, Soft, min_isr};
use crate::image::{
    ELIGIBLE_LEADER_REPLICAS, KRAFT_VERSION, METADATA_VERSION, MetadataImage, SUPPORTED,
    SupportedRange,
};
use crate::record::MetadataRecord;

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

/// Levels of metadata.version that changed what records say. A downgrade over one of them would lose
/// it.
const LEVELS_WITH_NEW_RECORDS: [i16; 11] = [7, 8, 11, 13, 14, 15, 17, 23, 30, 32, 33];

/// The least level that can be agreed on, and what Kafka's own code knows at most.
const METADATA_VERSIONS: (i16, i16) = (7, 34);

/// Levels that need a level of another feature.
const NEEDS: [(&str, i16, &str, i16); 1] = [(ELIGIBLE_LEADER_REPLICAS, 1, METADATA_VERSION, 23)];

pub(super) fn update(
    image: &MetadataImage,
    soft: &Soft,
    request: &UpdateFeaturesRequest,
    version: i16,
) -> Decision {
    let mut levels: BTreeMap<&str, i16> =
        image.features.finalized().map(|(name, level)| (name.as_str(), level)).collect();
    let updates = request.feature_updates.iter();
    levels.extend(updates.map(|update| (update.feature.as_str(), update.max_version_level)));
    let mut records = Vec::new();
    for update in &request.feature_updates {
        match update_one(image, soft, update, version, &levels) {
            Ok(mut decided) => records.append(&mut decided),
            Err(refusal) => return failed(&refusal),
        }
    }
    if request.validate_only {
        records.clear();
    }
    // Old clients look for the answer beside each feature.
    let results = request.feature_updates.iter().filter(|_| version < 2);
    let results = results.map(|update| UpdatableFeatureResult {
        feature: update.feature.clone(),
        error_message: None,
        ..Default::default()
    });
    let response = UpdateFeaturesResponse {
        error_message: None,
        results: results.collect(),
        ..Default::default()
    };
    Decision { records, reply: Reply::UpdateFeatures(response) }
}

fn failed(refusal: &Refusal) -> Decision {
    let why = refusal.message.as_ref().map_or("", Str::as_str);
    let message = format!(
        "The update failed for all features since the following feature had an error: {why}"
    );
    let response = UpdateFeaturesResponse {
        error_code: refusal.code.code(),
        error_message: Some(Str::from(message)),
        ..Default::default()
    };
    Decision::answer(Reply::UpdateFeatures(response))
}

fn update_one(
    image: &MetadataImage,
    soft: &Soft,
    update: &FeatureUpdateKey,
    version: i16,
    levels: &BTreeMap<&str, i16>,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let (name, level) = (update.feature.as_str(), update.max_version_level);
    let kind = match version {
        0 if update.allow_downgrade => SAFE_DOWNGRADE,
        0 => UPGRADE,
        _ => update.upgrade_type,
    };
    let invalid = |why: String| {
        let message = format!("Invalid update version {level} for feature {name}. {why}");
        Err(Refusal::new(ErrorCode::InvalidUpdateVersion, message))
    };
    if !matches!(kind, UPGRADE | SAFE_DOWNGRADE | UNSAFE_DOWNGRADE) {
        return invalid("The controller does not support the given upgrade type.".into());
    }
    if level < 0 {
        return invalid("A feature version cannot be less than 0.".into());
    }
    if let Some(why) = not_supported(image, soft, name, level) {
        return invalid(why);
    }
    let current = match name {
        KRAFT_VERSION => soft.kraft_version,
        _ => image.features.level(name),
    };
    if name == KRAFT_VERSION && (kind != UPGRADE || level < current) {
        return invalid("Can't downgrade the version of this feature.".into());
    }
    if level < current && kind == UPGRADE {
        return invalid(
            "Can't downgrade the version of this feature without setting the upgrade type to either \
             safe or unsafe downgrade."
                .into(),
        );
    }
    if level > current && kind != UPGRADE {
        return invalid("Can't downgrade to a newer version.".into());
    }
    if name == METADATA_VERSION {
        check_metadata_version(current, level, kind)?;
    }
    if let Some(why) = lacks(name, level, levels) {
        return invalid(why);
    }
    if name == KRAFT_VERSION {
        // The quorum keeps it in records of its own.
        return Ok(Vec::new());
    }
    let record = FeatureLevelRecord {
        name: update.feature.clone(),
        feature_level: level,
        ..Default::default()
    };
    let mut records = Vec::new();
    if name == ELIGIBLE_LEADER_REPLICAS && level > 0 && current == 0 {
        records = min_isr::one_for_the_cluster(image, soft);
    }
    records.push(record.into());
    Ok(records)
}

/// Why somebody of the cluster cannot work at this level.
fn not_supported(image: &MetadataImage, soft: &Soft, name: &str, level: i16) -> Option<String> {
    let own = SUPPORTED.iter().find(|known| known.name == name);
    let own = own.map(|known| SupportedRange { min: known.min, max: known.max });
    let why = |who: String, range: Option<SupportedRange>| {
        let range = range.unwrap_or(SupportedRange { min: 0, max: 0 });
        if (range.min..=range.max).contains(&level) {
            return None;
        }
        Some(match (range.min, range.max) {
            (_, 0) => format!("{who} does not support this feature."),
            (min, max) if min == max => format!("{who} only supports versions {min}"),
            (min, max) => format!("{who} only supports versions {min}-{max}"),
        })
    };
    let brokers = || {
        image.brokers.iter().find_map(|broker| {
            why(format!("Broker {}", broker.id), broker.features.get(name).copied())
        })
    };
    let controllers = || {
        let others = image.controllers.iter().filter(|other| other.id != soft.node_id);
        others.into_iter().find_map(|other| {
            why(format!("Controller {}", other.id), other.features.get(name).copied())
        })
    };
    let strangers = || {
        let voters = soft.voters.iter().filter(|id| **id != soft.node_id);
        let stranger = voters.into_iter().find(|id| image.controllers.get(**id).is_none())?;
        Some(format!("controller {stranger} has not registered, and may not support this feature"))
    };
    let registered = image.features.has_controller_registration();
    why(format!("Local controller {}", soft.node_id), own)
        .or_else(brokers)
        .or_else(|| if registered { controllers().or_else(strangers) } else { None })
}

fn check_metadata_version(current: i16, level: i16, kind: i8) -> Result<(), Refusal> {
    let (min, max) = METADATA_VERSIONS;
    let refuse = |message| Err(Refusal::new(ErrorCode::InvalidUpdateVersion, message));
    if !(min..=max).contains(&level) {
        return refuse(format!(
            "Invalid metadata.version {level}. Valid versions are from {min} to {max}."
        ));
    }
    let loses = LEVELS_WITH_NEW_RECORDS.iter().any(|new| (level + 1..=current).contains(new));
    if !loses {
        return Ok(());
    }
    let why = match kind {
        UNSAFE_DOWNGRADE => "Unsafe metadata downgrade is not supported in this version.",
        _ => {
            "Refusing to perform the requested downgrade because it might delete metadata \
             information."
        }
    };
    refuse(format!("Unsupported metadata.version downgrade from {current} to {level}. {why}"))
}

/// What another feature would have to be for this one to be at that level.
fn lacks(name: &str, level: i16, levels: &BTreeMap<&str, i16>) -> Option<String> {
    let unmet = |(feature, from, needed, at): &&(&str, i16, &str, i16)| {
        let wanted = match *feature == name {
            true => level,
            false => levels.get(feature).copied().unwrap_or(0),
        };
        wanted >= *from
            && (*feature == name || *needed == name)
            && levels.get(needed).copied().unwrap_or(0) < *at
    };
    let (feature, from, needed, at) = NEEDS.iter().find(unmet)?;
    Some(format!("{feature} could not be set to {from} because it depends on {needed} level {at}"))
}
