//! UnregisterController (key 94): v0. A controller that will not come back is forgotten.

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{UnregisterControllerRequest, UnregisterControllerResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for UnregisterControllerRequest {
    const SEEN_EVERYWHERE: bool = true;

    fn into_command(self, _version: i16) -> Command {
        Command::UnregisterController(self)
    }

    fn response(reply: Reply) -> Option<UnregisterControllerResponse> {
        match reply {
            Reply::Done => Some(UnregisterControllerResponse::default()),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> UnregisterControllerResponse {
        let error_code = refusal.code.code();
        let error_message = refusal.message.clone();
        UnregisterControllerResponse { error_code, error_message, ..Default::default() }
    }

    fn outcome(response: &UnregisterControllerResponse) -> ErrorCode {
        ErrorCode::from_code_or_unknown(response.error_code)
    }
}
