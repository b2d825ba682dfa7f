//! BrokerRegistration (key 62): v0-4, on controller listeners. A broker's process takes its place in
//! the cluster. One of another cluster is refused, and one whose id a live broker has.

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{BrokerRegistrationRequest, BrokerRegistrationResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for BrokerRegistrationRequest {
    const SEEN_EVERYWHERE: bool = false;

    fn into_command(self, version: i16) -> Command {
        // Over the network it is some other process.
        Command::RegisterBroker { request: self, version, unfence: false }
    }

    fn response(reply: Reply) -> Option<BrokerRegistrationResponse> {
        match reply {
            Reply::Registered { broker_epoch } => {
                Some(BrokerRegistrationResponse { broker_epoch, ..Default::default() })
            }
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> BrokerRegistrationResponse {
        let error_code = refusal.code.code();
        BrokerRegistrationResponse { error_code, ..Default::default() }
    }

    fn outcome(response: &BrokerRegistrationResponse) -> ErrorCode {
        ErrorCode::from_code_or_unknown(response.error_code)
    }
}
