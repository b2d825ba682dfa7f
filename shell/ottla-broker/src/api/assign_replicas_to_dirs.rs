//! AssignReplicasToDirs (key 73): v0, on controller listeners. A broker says in which of its log
//! directories replicas lie (KIP-858).

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{AssignReplicasToDirsRequest, AssignReplicasToDirsResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for AssignReplicasToDirsRequest {
    const SEEN_EVERYWHERE: bool = false;

    fn into_command(self, _version: i16) -> Command {
        Command::AssignReplicasToDirs(self)
    }

    fn response(reply: Reply) -> Option<AssignReplicasToDirsResponse> {
        match reply {
            Reply::AssignReplicasToDirs(response) => Some(response),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> AssignReplicasToDirsResponse {
        let error_code = refusal.code.code();
        AssignReplicasToDirsResponse { error_code, ..Default::default() }
    }

    fn outcome(response: &AssignReplicasToDirsResponse) -> ErrorCode {
        ErrorCode::from_code_or_unknown(response.error_code)
    }
}
