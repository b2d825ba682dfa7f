//! CreateTopics (key 19): v2-7. Each topic is made or refused by itself; the answer comes when the
//! topics are durable, known to every live broker, and can be written to. v5+ echoes the settings a
//! topic got (KIP-525), v7 its id (KIP-516).

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::create_topics_response::CreatableTopicResult;
use ottla_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for CreateTopicsRequest {
    const SEEN_EVERYWHERE: bool = true;

    fn into_command(self, _version: i16) -> Command {
        Command::CreateTopics(self)
    }

    fn response(reply: Reply) -> Option<CreateTopicsResponse> {
        match reply {
            Reply::CreateTopics(response) => Some(response),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> CreateTopicsResponse {
        let topics = self.topics.iter().map(|topic| CreatableTopicResult {
            name: topic.name.clone(),
            error_code: refusal.code.code(),
            error_message: refusal.message.clone(),
            ..Default::default()
        });
        CreateTopicsResponse { topics: topics.collect(), ..Default::default() }
    }

    fn outcome(response: &CreateTopicsResponse) -> ErrorCode {
        // The request has no code of its own: what failed it as a whole failed each of its parts.
        let first = response.topics.first().map_or(0, |result| result.error_code);
        ErrorCode::from_code_or_unknown(first)
    }
}
