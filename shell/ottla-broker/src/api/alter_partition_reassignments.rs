//! AlterPartitionReassignments (key 45): v0-1. Partitions move to other replicas, or stop moving
//! (KIP-455). v1 can refuse another number of replicas.

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for AlterPartitionReassignmentsRequest {
    const SEEN_EVERYWHERE: bool = true;

    fn into_command(self, _version: i16) -> Command {
        Command::AlterPartitionReassignments(self)
    }

    fn response(reply: Reply) -> Option<AlterPartitionReassignmentsResponse> {
        match reply {
            Reply::AlterPartitionReassignments(response) => Some(response),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> AlterPartitionReassignmentsResponse {
        let error_code = refusal.code.code();
        let error_message = refusal.message.clone();
        AlterPartitionReassignmentsResponse { error_code, error_message, ..Default::default() }
    }

    fn outcome(response: &AlterPartitionReassignmentsResponse) -> ErrorCode {
        ErrorCode::from_code_or_unknown(response.error_code)
    }
}
