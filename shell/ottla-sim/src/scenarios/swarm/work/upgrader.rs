//! Raises metadata.version, step by step, under everything that goes wrong: a cluster that begins at an older
//! level ends at the newest, on every node.
//!
//! Sources: KIP-584, KIP-778; a level that was agreed on is never forgotten.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_config::keys::ottla::{METADATA_VERSIONS, metadata_version_level};
use ottla_env::Env;
use ottla_env::sim::{Random, SimEnv};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{ApiVersionsRequest, UpdateFeaturesRequest};

use super::{Setup, pause};
use crate::wire::{Connection, WireError};

const METADATA_VERSION: &str = "metadata.version";
const UPGRADE: i8 = 1;
const UPDATE_FEATURES_NEWEST: i16 = 2;
const API_VERSIONS_NEWEST: i16 = 4;
/// Between two steps at most.
const PAUSE_MS: u64 = 4_000;

/// Upgrades until the newest level is reached or the run stops.
pub(super) async fn run(env: SimEnv, setup: Arc<Setup>, mut random: Random) {
    while !setup.is_stopping() {
        pause(&env, &mut random, PAUSE_MS).await;
        let address = setup.nodes[random.index(setup.nodes.len())];
        // A step whose answer did not come may have been taken.
        let Ok(told) = level(&env, address).await else { continue };
        let (from, newest) = (told.max(setup.level.load(Ordering::Relaxed)), newest());
        if from >= newest {
            continue;
        }
        let step = 1 + random.below((newest - from) as u64) as i16;
        let to = if random.chance(30) { newest } else { from + step };
        if let Ok(ErrorCode::None) = upgrade(&env, address, to).await {
            setup.level.fetch_max(to, Ordering::Relaxed);
        }
    }
}

/// The level everything ends at.
pub(in super::super) fn newest() -> i16 {
    METADATA_VERSIONS.last().and_then(|name| metadata_version_level(name)).unwrap_or(0)
}

/// Asks one node for a level; it hands the request to the controller.
pub(in super::super) async fn upgrade<E: Env>(
    env: &E,
    address: SocketAddr,
    level: i16,
) -> Result<ErrorCode, WireError> {
    let mut connection = Connection::open(env, address).await?;
    let update = FeatureUpdateKey {
        feature: METADATA_VERSION.into(),
        max_version_level: level,
        upgrade_type: UPGRADE,
        ..FeatureUpdateKey::default()
    };
    let request = UpdateFeaturesRequest {
        timeout_ms: 10_000,
        feature_updates: vec![update],
        ..UpdateFeaturesRequest::default()
    };
    let response = connection.call(&request, UPDATE_FEATURES_NEWEST).await?;
    Ok(ErrorCode::from_code_or_unknown(response.error_code))
}

/// The level one node tells its clients.
pub(in super::super) async fn level<E: Env>(
    env: &E,
    address: SocketAddr,
) -> Result<i16, WireError> {
    let mut connection = Connection::open(env, address).await?;
    let request = ApiVersionsRequest {
        client_software_name: "ottla-sim".into(),
        client_software_version: "1".into(),
        ..ApiVersionsRequest::default()
    };
    let response = connection.call(&request, API_VERSIONS_NEWEST).await?;
    let found = response.finalized_features.iter().find(|known| &*known.name == METADATA_VERSION);
    Ok(found.map_or(0, |known| known.max_version_level))
}
