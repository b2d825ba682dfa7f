//! ListConfigResources (key 74): v0-1. Which resources have, or may have, settings. v0 knows client
//! metrics alone (KIP-714), v1 every kind (KIP-1142).

use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::image::{MetadataImage, ResourceType};
use ottla_protocol::messages::list_config_resources_response::ConfigResource;
use ottla_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let asked: Option<Vec<ResourceType>> = match request.resource_types.as_slice() {
        _ if context.version == 0 => Some(vec![ResourceType::ClientMetrics]),
        [] => Some(ResourceType::ALL.to_vec()),
        codes => codes.iter().map(|code| ResourceType::from_code(*code)).collect(),
    };
    let Some(asked) = asked else {
        let error_code = ErrorCode::UnsupportedVersion.code();
        return ListConfigResourcesResponse { error_code, ..Default::default() };
    };
    let image = rooms.metadata.image();
    let config_resources =
        asked.into_iter().flat_map(|resource_type| resources(&image, resource_type)).collect();
    ListConfigResourcesResponse { config_resources, ..Default::default() }
}

fn resources(image: &MetadataImage, resource_type: ResourceType) -> Vec<ConfigResource> {
    let names: Vec<Str> = match resource_type {
        ResourceType::Topic => image.topics.iter().map(|topic| topic.name.clone()).collect(),
        ResourceType::Broker | ResourceType::BrokerLogger => {
            image.live_brokers().map(|broker| Str::from(broker.id.to_string())).collect()
        }
        ResourceType::ClientMetrics | ResourceType::Group => image
            .configs
            .iter()
            .filter(|(resource, _)| resource.resource_type == resource_type)
            .map(|(resource, _)| Str::copy_from(&resource.name))
            .collect(),
    };
    let resource = names.into_iter().map(|resource_name| ConfigResource {
        resource_name,
        resource_type: resource_type.code(),
        ..Default::default()
    });
    resource.collect()
}
