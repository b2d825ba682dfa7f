//! IncrementalAlterConfigs (key 44): v0-1. Set, delete, append and subtract, key by key (KIP-339). In
//! force on every live broker when it is answered.

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for IncrementalAlterConfigsRequest {
    const SEEN_EVERYWHERE: bool = true;

    fn into_command(self, _version: i16) -> Command {
        Command::IncrementalAlterConfigs(self)
    }

    fn response(reply: Reply) -> Option<IncrementalAlterConfigsResponse> {
        match reply {
            Reply::IncrementalAlterConfigs(response) => Some(response),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> IncrementalAlterConfigsResponse {
        let responses = self.resources.iter().map(|asked| AlterConfigsResourceResponse {
            error_code: refusal.code.code(),
            error_message: refusal.message.clone(),
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
            ..Default::default()
        });
        IncrementalAlterConfigsResponse { responses: responses.collect(), ..Default::default() }
    }

    fn outcome(response: &IncrementalAlterConfigsResponse) -> ErrorCode {
        // The request has no code of its own: what failed it as a whole failed each of its parts.
        let first = response.responses.first().map_or(0, |result| result.error_code);
        ErrorCode::from_code_or_unknown(first)
    }
}
