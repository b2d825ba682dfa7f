//! AllocateProducerIds (key 67): v0. A broker asks the controller for a block of producer ids.

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{AllocateProducerIdsRequest, AllocateProducerIdsResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for AllocateProducerIdsRequest {
    const SEEN_EVERYWHERE: bool = false;

    fn into_command(self, _version: i16) -> Command {
        let AllocateProducerIdsRequest { broker_id, broker_epoch, .. } = self;
        Command::AllocateProducerIds { broker_id, broker_epoch }
    }

    fn response(reply: Reply) -> Option<AllocateProducerIdsResponse> {
        match reply {
            Reply::ProducerIds(block) => Some(AllocateProducerIdsResponse {
                producer_id_start: block.first,
                producer_id_len: i32::try_from(block.length).unwrap_or(0),
                ..Default::default()
            }),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> AllocateProducerIdsResponse {
        let error_code = refusal.code.code();
        AllocateProducerIdsResponse { error_code, ..Default::default() }
    }

    fn outcome(response: &AllocateProducerIdsResponse) -> ErrorCode {
        ErrorCode::from_code_or_unknown(response.error_code)
    }
}
