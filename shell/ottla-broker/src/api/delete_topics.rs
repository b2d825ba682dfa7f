//! DeleteTopics (key 20): v1-6. By name, since v6 by id too (KIP-516). When it is answered, the
//! topics are gone for good and their names are free.

use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::Uuid;
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;
use ottla_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};

use crate::drivers::controller::ControllerRequest;

impl ControllerRequest for DeleteTopicsRequest {
    const SEEN_EVERYWHERE: bool = true;

    fn into_command(self, version: i16) -> Command {
        Command::DeleteTopics { request: self, version }
    }

    fn response(reply: Reply) -> Option<DeleteTopicsResponse> {
        match reply {
            Reply::DeleteTopics(response) => Some(response),
            _ => None,
        }
    }

    fn refused(&self, refusal: &Refusal, _version: i16) -> DeleteTopicsResponse {
        let by_state = self.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id));
        let by_name = self.topic_names.iter().map(|name| (Some(name.clone()), Uuid::ZERO));
        let responses = by_state.chain(by_name).map(|(name, topic_id)| DeletableTopicResult {
            name,
            topic_id,
            error_code: refusal.code.code(),
            error_message: refusal.message.clone(),
            ..Default::default()
        });
        DeleteTopicsResponse { responses: responses.collect(), ..Default::default() }
    }

    fn outcome(response: &DeleteTopicsResponse) -> ErrorCode {
        // The request has no code of its own: what failed it as a whole failed each of its parts.
        let first = response.responses.first().map_or(0, |result| result.error_code);
        ErrorCode::from_code_or_unknown(first)
    }
}
