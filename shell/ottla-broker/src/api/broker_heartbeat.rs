//! BrokerHeartbeat (key 63): v0-2, on controller listeners. A broker lives, has read so far, and wants to
//! serve or to stop. v1 tells of lost log directories (KIP-858), v2 of those that are to be emptied.

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for BrokerHeartbeatRequest {
    const SEEN_EVERYWHERE: bool = false;

    fn into_command(self, _version: i16) -> Command {
        Command::BrokerHeartbeat(self)
    }

    fn response(reply: Reply) -> Option<BrokerHeartbeatResponse> {
        match reply {
            Reply::BrokerHeartbeat(response) => Some(response),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> BrokerHeartbeatResponse {
        let error_code = refusal.code.code();
        BrokerHeartbeatResponse { error_code, ..Default::default() }
    }

    fn heartbeat_of(&self) -> Option<(i32, i64)> {
        Some((self.broker_id, self.broker_epoch))
    }

    fn outcome(response: &BrokerHeartbeatResponse) -> ErrorCode {
        ErrorCode::from_code_or_unknown(response.error_code)
    }
}
