//! CreatePartitions (key 37): v0-3. Topics grow to a number of partitions, each by itself.

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use ottla_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for CreatePartitionsRequest {
    const SEEN_EVERYWHERE: bool = true;

    fn into_command(self, _version: i16) -> Command {
        Command::CreatePartitions(self)
    }

    fn response(reply: Reply) -> Option<CreatePartitionsResponse> {
        match reply {
            Reply::CreatePartitions(response) => Some(response),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> CreatePartitionsResponse {
        let results = self.topics.iter().map(|topic| CreatePartitionsTopicResult {
            name: topic.name.clone(),
            error_code: refusal.code.code(),
            error_message: refusal.message.clone(),
            ..Default::default()
        });
        CreatePartitionsResponse { results: results.collect(), ..Default::default() }
    }

    fn outcome(response: &CreatePartitionsResponse) -> ErrorCode {
        // The request has no code of its own: what failed it as a whole failed each of its parts.
        let first = response.results.first().map_or(0, |result| result.error_code);
        ErrorCode::from_code_or_unknown(first)
    }
}
