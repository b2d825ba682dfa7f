//! CreatePartitions (key 37): v0-3. Topics grow to a number of partitions, each by itself.

use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::controller::{Command, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use ottla_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let names: Vec<_> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    match rooms.controller.submit(Command::CreatePartitions(request)).await {
        Ok(Reply::CreatePartitions(response)) => response,
        outcome => {
            let code = outcome.err().unwrap_or(ErrorCode::UnknownServerError);
            let results = names.into_iter().map(|name| CreatePartitionsTopicResult {
                name,
                error_code: code.code(),
                error_message: None,
                ..Default::default()
            });
            CreatePartitionsResponse { results: results.collect(), ..Default::default() }
        }
    }
}
