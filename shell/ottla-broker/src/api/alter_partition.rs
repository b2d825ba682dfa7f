//! AlterPartition (key 56): v2-3, on controller listeners. A leader asks for another ISR; v3 names the
//! epoch of each broker in it, so that none comes back in before it has caught up (KIP-903).

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for AlterPartitionRequest {
    const SEEN_EVERYWHERE: bool = false;

    fn into_command(self, version: i16) -> Command {
        Command::AlterPartition { request: self, version }
    }

    fn response(reply: Reply) -> Option<AlterPartitionResponse> {
        match reply {
            Reply::AlterPartition(response) => Some(response),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> AlterPartitionResponse {
        let error_code = refusal.code.code();
        AlterPartitionResponse { error_code, ..Default::default() }
    }

    fn outcome(response: &AlterPartitionResponse) -> ErrorCode {
        ErrorCode::from_code_or_unknown(response.error_code)
    }
}
