//! UnregisterBroker (key 64): v0. A broker that will not come back is forgotten.

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for UnregisterBrokerRequest {
    const SEEN_EVERYWHERE: bool = true;

    fn into_command(self, _version: i16) -> Command {
        Command::UnregisterBroker(self)
    }

    fn response(reply: Reply) -> Option<UnregisterBrokerResponse> {
        match reply {
            Reply::Done => Some(UnregisterBrokerResponse::default()),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> UnregisterBrokerResponse {
        let error_code = refusal.code.code();
        let error_message = refusal.message.clone();
        UnregisterBrokerResponse { error_code, error_message, ..Default::default() }
    }

    fn outcome(response: &UnregisterBrokerResponse) -> ErrorCode {
        ErrorCode::from_code_or_unknown(response.error_code)
    }
}
