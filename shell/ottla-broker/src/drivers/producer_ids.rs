//! Producer ids of this broker: given out one by one from a block that the controller gave.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::AllocateProducerIdsRequest;
use tokio::sync::Mutex;

use super::channel::ControllerChannel;
use super::lifecycle::LifecycleDriver;

/// How long a producer waits for its id.
const LIMIT: Duration = Duration::from_secs(10);

/// Ids that belong to this broker and are not given out yet.
pub(crate) struct ProducerIds<E: Env> {
    channel: Arc<ControllerChannel<E>>,
    lifecycle: Arc<LifecycleDriver<E>>,
    block: Mutex<std::ops::Range<i64>>,
}

impl<E: Env> ProducerIds<E> {
    pub(crate) fn new(
        channel: Arc<ControllerChannel<E>>,
        lifecycle: Arc<LifecycleDriver<E>>,
    ) -> Arc<Self> {
        Arc::new(Self { channel, lifecycle, block: Mutex::new(0..0) })
    }

    /// An id no producer of this cluster has.
    pub(crate) async fn next(&self) -> Result<i64, ErrorCode> {
        let mut block = self.block.lock().await;
        if let Some(id) = block.next() {
            return Ok(id);
        }
        let request = AllocateProducerIdsRequest {
            broker_id: self.lifecycle.broker_id(),
            broker_epoch: self.lifecycle.broker_epoch(),
            ..Default::default()
        };
        let response = self.channel.call(request, LIMIT).await?;
        match ErrorCode::from_code_or_unknown(response.error_code) {
            ErrorCode::None => {}
            // The next heartbeat registers anew.
            ErrorCode::StaleBrokerEpoch | ErrorCode::BrokerIdNotRegistered => {
                return Err(ErrorCode::CoordinatorNotAvailable);
            }
            code => return Err(code),
        }
        let first = response.producer_id_start;
        *block = first..first.saturating_add(response.producer_id_len.into());
        block.next().ok_or(ErrorCode::UnknownServerError)
    }
}
