//! UpdateFeatures (key 57): v0-2. Levels of features that the whole cluster agrees on (KIP-584); v1 can
//! ask what would happen (KIP-778), v2 answers for all or none.

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_metadata::image::KRAFT_VERSION;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for UpdateFeaturesRequest {
    const SEEN_EVERYWHERE: bool = true;

    fn into_command(self, version: i16) -> Command {
        Command::UpdateFeatures { request: self, version }
    }

    fn response(reply: Reply) -> Option<UpdateFeaturesResponse> {
        match reply {
            Reply::UpdateFeatures(response) => Some(response),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> UpdateFeaturesResponse {
        let error_code = refusal.code.code();
        let error_message = refusal.message.clone();
        UpdateFeaturesResponse { error_code, error_message, ..Default::default() }
    }

    fn kraft_version(&self) -> Option<(i16, bool)> {
        let mut updates = self.feature_updates.iter();
        let update = updates.find(|update| *update.feature == *KRAFT_VERSION)?;
        Some((update.max_version_level, self.validate_only))
    }

    fn dry(&self) -> Option<Self> {
        Some(Self { validate_only: true, ..self.clone() })
    }

    fn outcome(response: &UpdateFeaturesResponse) -> ErrorCode {
        ErrorCode::from_code_or_unknown(response.error_code)
    }
}
