//! ListPartitionReassignments (key 46): v0. Partitions that move, and how far each move is (KIP-455).

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for ListPartitionReassignmentsRequest {
    const SEEN_EVERYWHERE: bool = false;

    fn into_command(self, _version: i16) -> Command {
        Command::ListPartitionReassignments(self)
    }

    fn response(reply: Reply) -> Option<ListPartitionReassignmentsResponse> {
        match reply {
            Reply::ListPartitionReassignments(response) => Some(response),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> ListPartitionReassignmentsResponse {
        let error_code = refusal.code.code();
        let error_message = refusal.message.clone();
        ListPartitionReassignmentsResponse { error_code, error_message, ..Default::default() }
    }

    fn outcome(response: &ListPartitionReassignmentsResponse) -> ErrorCode {
        ErrorCode::from_code_or_unknown(response.error_code)
    }
}
