//! IncrementalAlterConfigs (key 44): v0-1. Set, delete, append and subtract, key by key (KIP-339). In
//! force when it is answered.

use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::controller::{Command, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let resources = request.resources.iter();
    let asked: Vec<_> =
        resources.map(|asked| (asked.resource_type, asked.resource_name.clone())).collect();
    match rooms.controller.submit(Command::IncrementalAlterConfigs(request)).await {
        Ok(Reply::IncrementalAlterConfigs(response)) => response,
        outcome => {
            let code = outcome.err().unwrap_or(ErrorCode::UnknownServerError);
            let responses = asked.into_iter().map(|(resource_type, resource_name)| {
                AlterConfigsResourceResponse {
                    error_code: code.code(),
                    error_message: None,
                    resource_type,
                    resource_name,
                    ..Default::default()
                }
            });
            IncrementalAlterConfigsResponse { responses: responses.collect(), ..Default::default() }
        }
    }
}
