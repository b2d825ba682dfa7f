//! ControllerRegistration (key 70): v0, on controller listeners. A controller says where it listens and
//! which features it knows (KIP-919).

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{ControllerRegistrationRequest, ControllerRegistrationResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for ControllerRegistrationRequest {
    const SEEN_EVERYWHERE: bool = false;

    fn into_command(self, _version: i16) -> Command {
        Command::RegisterController(self)
    }

    fn response(reply: Reply) -> Option<ControllerRegistrationResponse> {
        match reply {
            Reply::Done => Some(ControllerRegistrationResponse::default()),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> ControllerRegistrationResponse {
        let error_code = refusal.code.code();
        let error_message = refusal.message.clone();
        ControllerRegistrationResponse { error_code, error_message, ..Default::default() }
    }

    fn outcome(response: &ControllerRegistrationResponse) -> ErrorCode {
        ErrorCode::from_code_or_unknown(response.error_code)
    }
}
