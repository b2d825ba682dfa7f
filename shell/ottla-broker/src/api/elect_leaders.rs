//! ElectLeaders (key 43): v0-2. The preferred replica of each partition leads, or, since v1, any replica
//! where no one in sync is left (KIP-460). Asks for all partitions with null.

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use ottla_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for ElectLeadersRequest {
    const SEEN_EVERYWHERE: bool = true;

    fn into_command(self, _version: i16) -> Command {
        Command::ElectLeaders(self)
    }

    fn response(reply: Reply) -> Option<ElectLeadersResponse> {
        match reply {
            Reply::ElectLeaders(response) => Some(response),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, version: i16) -> ElectLeadersResponse {
        let results = self.topic_partitions.iter().flatten().map(|topic| {
            let partitions = topic.partitions.iter().map(|index| PartitionResult {
                partition_id: *index,
                error_code: refusal.code.code(),
                error_message: refusal.message.clone(),
                ..Default::default()
            });
            ReplicaElectionResult {
                topic: topic.topic.clone(),
                partition_result: partitions.collect(),
                ..Default::default()
            }
        });
        ElectLeadersResponse {
            // v0 has no code for the whole request.
            error_code: if version >= 1 { refusal.code.code() } else { 0 },
            replica_election_results: results.collect(),
            ..Default::default()
        }
    }

    fn outcome(response: &ElectLeadersResponse) -> ErrorCode {
        let first = response.replica_election_results.first();
        let first = first.and_then(|topic| topic.partition_result.first());
        match ErrorCode::from_code_or_unknown(response.error_code) {
            // Version 0 says it with each partition alone.
            ErrorCode::None => {
                ErrorCode::from_code_or_unknown(first.map_or(0, |first| first.error_code))
            }
            code => code,
        }
    }
}
