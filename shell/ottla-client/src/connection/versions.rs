//! Which version of each request to use on a connection.

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_env::Env;
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::{ApiKey, ErrorCode, Request, Str, decode_exact};

use super::Connection;
use crate::error::{Error, Result};

/// What the peer serves: lowest and highest version of each key.
pub(super) struct Versions {
    served: BTreeMap<i16, (i16, i16)>,
    topics_by_id: bool,
}

impl Versions {
    /// Before the peer was asked.
    pub(super) fn unknown(topics_by_id: bool) -> Versions {
        Versions { served: BTreeMap::new(), topics_by_id }
    }

    /// The newest version both sides know.
    pub(super) fn choose<R: Request>(&self, address: &str) -> Result<i16> {
        let unsupported = |reason: String| Error::Unsupported {
            api: R::NAME.to_owned(),
            address: address.to_owned(),
            reason,
        };
        let (lowest, highest) = *self
            .served
            .get(&R::KEY.code())
            .ok_or_else(|| unsupported("it does not list this request".to_owned()))?;
        let version = highest.min(ceiling(R::KEY, self.topics_by_id).unwrap_or(*R::VERSIONS.end()));
        if version < lowest || version < *R::VERSIONS.start() {
            return Err(unsupported(format!("it serves versions {lowest} to {highest}")));
        }
        Ok(version)
    }
}

/// The highest version used of requests whose later versions name topics only by id, for those who
/// speak of topics by name.
fn ceiling(key: ApiKey, topics_by_id: bool) -> Option<i16> {
    match key {
        _ if topics_by_id && key != ApiKey::InitProducerId => None,
        ApiKey::Produce | ApiKey::Fetch => Some(12),
        ApiKey::OffsetCommit | ApiKey::OffsetFetch => Some(9),
        // Two-phase commit, not yet stable.
        ApiKey::InitProducerId => Some(5),
        _ => None,
    }
}

/// Asks for the peer's versions. A peer that does not know the asked version of the question itself
/// answers in version 0, whatever was asked.
pub(super) async fn ask<E: Env>(connection: &Connection<E>) -> Result<Versions> {
    const ASKED: i16 = 3;
    let request = ApiVersionsRequest {
        client_software_name: Str::from("ottla"),
        client_software_version: Str::from(env!("CARGO_PKG_VERSION")),
        ..ApiVersionsRequest::default()
    };
    let protocol =
        |reason: String| Error::Protocol { address: connection.address().to_owned(), reason };
    let ended = |_| connection.failure();
    let body = connection.send(&request, ASKED).await?.await.map_err(ended)??;
    let error = body.get(4..6).map_or(0, |code| i16::from_be_bytes([code[0], code[1]]));
    let response = if error == ErrorCode::UnsupportedVersion.code() {
        let oldest = ApiVersionsRequest::default();
        let body = connection.send(&oldest, 0).await?.await.map_err(ended)??;
        decode(body, 0).map_err(protocol)?
    } else {
        decode(body, ASKED).map_err(protocol)?
    };
    Error::check(response.error_code, || "learn the broker's versions".to_owned(), None)?;
    let served = response.api_keys.iter();
    Ok(Versions {
        topics_by_id: connection.versions.topics_by_id,
        served: served.map(|api| (api.api_key, (api.min_version, api.max_version))).collect(),
    })
}

/// The header of this answer is always version 0: the correlation id alone.
fn decode(body: Bytes, version: i16) -> Result<ApiVersionsResponse, String> {
    decode_exact(body.slice(4..), version).map_err(|error| error.to_string())
}
