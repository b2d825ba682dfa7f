//! CreateTopics (key 19): v2-7. Each topic is made or refused by itself; the answer comes when the
//! topics are durable and can be written to. v5+ echoes the settings a topic got (KIP-525), v7 its
//! id (KIP-516). The time limit of the request is of no concern: nothing here waits for others.

use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::controller::{Command, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::create_topics_response::CreatableTopicResult;
use ottla_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let names: Vec<_> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let client = context.client_id();
    tracing::debug!(client, topics = names.len(), "create topics");
    match rooms.controller.submit(Command::CreateTopics(request)).await {
        Ok(Reply::CreateTopics(response)) => response,
        outcome => {
            let code = outcome.err().unwrap_or(ErrorCode::UnknownServerError);
            let topics = names.into_iter().map(|name| CreatableTopicResult {
                name,
                error_code: code.code(),
                error_message: None,
                ..Default::default()
            });
            CreateTopicsResponse { topics: topics.collect(), ..Default::default() }
        }
    }
}
