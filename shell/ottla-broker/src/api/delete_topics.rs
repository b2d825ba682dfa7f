//! DeleteTopics (key 20): v1-6. By name, since v6 by id too (KIP-516). When it is answered, the
//! topics are gone for good and their names are free.

use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::controller::{Command, Reply};
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;
use ottla_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use ottla_protocol::{ErrorCode, Uuid};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let version = context.version;
    let by_state = request.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id));
    let by_name = request.topic_names.iter().map(|name| (Some(name.clone()), Uuid::ZERO));
    let asked: Vec<_> = by_state.chain(by_name).collect();
    match rooms.controller.submit(Command::DeleteTopics { request, version }).await {
        Ok(Reply::DeleteTopics(response)) => response,
        outcome => {
            let code = outcome.err().unwrap_or(ErrorCode::UnknownServerError);
            let responses = asked.into_iter().map(|(name, topic_id)| DeletableTopicResult {
                name,
                topic_id,
                error_code: code.code(),
                error_message: None,
                ..Default::default()
            });
            DeleteTopicsResponse { responses: responses.collect(), ..Default::default() }
        }
    }
}
