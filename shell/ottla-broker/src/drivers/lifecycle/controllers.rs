//! A controller makes itself known: where it listens, and which features it supports (KIP-919).

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_metadata::image::SUPPORTED;
use ottla_protocol::messages::ControllerRegistrationRequest;
use ottla_protocol::messages::controller_registration_request::{Feature, Listener};
use ottla_protocol::{ErrorCode, Str};

use super::LifecycleDriver;

const TRY_MAX: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Registers this process of the controller whenever the image does not know it.
pub(super) async fn register<E: Env>(driver: Arc<LifecycleDriver<E>>) {
    let mut images = driver.metadata.watch_image();
    loop {
        let is_known = |image: &Arc<ottla_metadata::image::MetadataImage>| {
            let known = image.controllers.get(driver.node.node_id);
            known.is_some_and(|known| known.incarnation_id == driver.incarnation_id)
        };
        // An image without features is none yet.
        let is_due = |image: &Arc<ottla_metadata::image::MetadataImage>| {
            !image.features.is_empty() && !is_known(image)
        };
        if images.wait_for(is_due).await.is_err() {
            return;
        }
        let answer = driver.channel.call(request(&driver), TRY_MAX).await;
        let code = answer.map(|answer| ErrorCode::from_code_or_unknown(answer.error_code));
        match code {
            Ok(ErrorCode::None) => {
                let known = async {
                    let _ = images.wait_for(is_known).await;
                };
                let _ = driver.env.timeout(TRY_MAX, known).await;
            }
            Ok(code) => {
                tracing::warn!(error = code.name(), "this controller is not registered");
                driver.env.sleep(RETRY_PAUSE).await;
            }
            Err(_) => driver.env.sleep(RETRY_PAUSE).await,
        }
    }
}

fn request<E: Env>(driver: &LifecycleDriver<E>) -> ControllerRegistrationRequest {
    let listeners = driver.controller_endpoints.iter().map(|endpoint| Listener {
        name: endpoint.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        security_protocol: endpoint.security_protocol,
        ..Default::default()
    });
    let features = SUPPORTED.iter().map(|feature| Feature {
        name: Str::from(feature.name),
        min_supported_version: feature.min,
        max_supported_version: feature.max,
        ..Default::default()
    });
    ControllerRegistrationRequest {
        controller_id: driver.node.node_id,
        incarnation_id: driver.incarnation_id,
        listeners: listeners.collect(),
        features: features.collect(),
        ..Default::default()
    }
}
