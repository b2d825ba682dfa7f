//! UpdateFeatures: not decided here yet.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::{Decision, Reply, Soft};
use crate::image::MetadataImage;

pub(super) fn update(
    _image: &MetadataImage,
    _soft: &Soft,
    _request: &UpdateFeaturesRequest,
    _version: i16,
) -> Decision {
    let error_code = ErrorCode::UnsupportedVersion.code();
    let response = UpdateFeaturesResponse { error_code, ..Default::default() };
    Decision::answer(Reply::UpdateFeatures(response))
}
