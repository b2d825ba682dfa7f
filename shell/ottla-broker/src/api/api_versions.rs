//! ApiVersions (key 18): v0-5. What the table serves on the listener the client came through, and the cluster's
//! features.
//!
//! - An unknown version is answered in version 0 with UNSUPPORTED_VERSION and this API's own range,
//!   so that the client can ask again.
//! - v3+ (KIP-511) name the client's software: letters, digits, `-` and `.`, or INVALID_REQUEST.
//! - v5 (KIP-1242) says which cluster and node the client believes it talks to: REBOOTSTRAP_REQUIRED
//!   if that is not this one.
//! - Before v4 a supported feature whose lowest level is 0 is left out (KAFKA-17492).

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_metadata::image::{Features, KRAFT_VERSION, SUPPORTED, Supported};
use ottla_protocol::messages::api_versions_response::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::{ApiKey, ErrorCode, Str, decode_request};

use super::answer::{self, Answer, RequestError};
use super::context::{ClientSoftware, RequestContext};
use super::table;
use crate::rooms::Rooms;

pub(crate) fn serve<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &mut RequestContext,
    body: Bytes,
) -> Result<Answer, RequestError> {
    let own = table::row::<E>(ApiKey::ApiVersions, context.is_controller);
    if own.is_none_or(|own| !own.versions.contains(&context.version)) {
        context.version = 0;
        return answer::encode(ApiKey::ApiVersions, context, &refusal(own));
    }
    let request: ApiVersionsRequest = decode_request(body, context.version)?;
    let response = response(rooms, context, &request);
    answer::encode(ApiKey::ApiVersions, context, &response)
}

/// The answer to a version that is not served.
fn refusal<E: Env>(own: Option<&table::Row<E>>) -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: own.map(advertised).into_iter().collect(),
        ..ApiVersionsResponse::default()
    }
}

fn response<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &mut RequestContext,
    request: &ApiVersionsRequest,
) -> ApiVersionsResponse {
    if let Some(error) = objection(rooms, context.version, request) {
        return ApiVersionsResponse { error_code: error.code(), ..ApiVersionsResponse::default() };
    }
    if context.version >= 3 {
        context.client_software = Some(ClientSoftware {
            name: request.client_software_name.detach(),
            version: request.client_software_version.detach(),
        });
    }
    let served = table::rows::<E>().iter();
    let served = served.filter(|row| row.served_on.includes(context.is_controller));
    let mut api_keys: Vec<ApiVersion> = served.map(advertised).collect();
    api_keys.sort_by_key(|api| api.api_key);
    let image = rooms.metadata.image();
    let is_listed = |feature: &&Supported| context.version >= 4 || feature.min > 0;
    ApiVersionsResponse {
        api_keys,
        supported_features: SUPPORTED.iter().filter(is_listed).map(supported).collect(),
        finalized_features_epoch: (image.next_offset - 1).max(0),
        finalized_features: finalized_features(rooms, &image.features),
        ..ApiVersionsResponse::default()
    }
}

fn supported(feature: &Supported) -> SupportedFeatureKey {
    SupportedFeatureKey {
        name: Str::from_static(feature.name),
        min_version: feature.min,
        max_version: feature.max,
        ..SupportedFeatureKey::default()
    }
}

/// The quorum's own level is not in the image, and as in Kafka not told where it is 0.
fn finalized_features<E: Env>(rooms: &Rooms<E>, features: &Features) -> Vec<FinalizedFeatureKey> {
    let quorum = (Str::from_static(KRAFT_VERSION), rooms.raft.kraft_version());
    let quorum = Some(quorum).filter(|(_, level)| *level > 0);
    let own = quorum.iter().map(|(name, level)| (name, *level));
    features.served().chain(own).map(finalized).collect()
}

fn finalized((name, level): (&Str, i16)) -> FinalizedFeatureKey {
    FinalizedFeatureKey {
        name: name.clone(),
        max_version_level: level,
        min_version_level: level,
        ..FinalizedFeatureKey::default()
    }
}

fn advertised<E: Env>(row: &table::Row<E>) -> ApiVersion {
    ApiVersion {
        api_key: row.key.code(),
        min_version: *row.versions.start(),
        max_version: *row.versions.end(),
        ..ApiVersion::default()
    }
}

/// What is wrong with a request, if anything.
fn objection<E: Env>(
    rooms: &Rooms<E>,
    version: i16,
    request: &ApiVersionsRequest,
) -> Option<ErrorCode> {
    let named = is_word(&request.client_software_name) && is_word(&request.client_software_version);
    if version >= 3 && !named {
        return Some(ErrorCode::InvalidRequest);
    }
    // Both or neither: a client knows a node as one of a cluster.
    let named_node = request.node_id != -1;
    if version >= 5 && request.cluster_id.is_some() != named_node {
        return Some(ErrorCode::InvalidRequest);
    }
    let other_cluster =
        request.cluster_id.as_ref().is_some_and(|cluster| **cluster != *rooms.node.cluster_id);
    let other_node = named_node && request.node_id != rooms.node.node_id;
    (version >= 5 && (other_cluster || other_node)).then_some(ErrorCode::RebootstrapRequired)
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`
fn is_word(text: &str) -> bool {
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    outer(text.chars().next()) && outer(text.chars().next_back()) && text.chars().all(inner)
}

#[cfg(test)]
mod tests;
