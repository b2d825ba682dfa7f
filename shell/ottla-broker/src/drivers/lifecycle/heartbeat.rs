//! Heartbeats: the broker lives, has come so far, and wants to serve or to stop.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_metadata::image::{Broker, MetadataImage};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};

use tokio::sync::watch;

use super::registration;
use super::{LifecycleDriver, LifecycleError};

/// Pause between heartbeats of a broker that waits to serve or to stop.
const EAGER_PAUSE: Duration = Duration::from_millis(20);

impl<E: Env> LifecycleDriver<E> {
    /// Beats until the controller lets this broker serve and this node knows it.
    pub(super) async fn unfence(self: &Arc<Self>) -> Result<(), LifecycleError> {
        loop {
            let epoch = self.broker_epoch();
            // The registration is at the offset that is its epoch.
            let applied = self.metadata.applied_to(epoch + 1).await;
            applied.map_err(LifecycleError::Metadata)?;
            if self.is_unfenced() {
                return Ok(());
            }
            match self.beat(false).await {
                Some(answer) if answer.error_code == 0 => {}
                Some(answer) if is_stale(&answer) => self.register(self.patience()).await?,
                _ => {}
            }
            if !self.is_unfenced() {
                self.env.sleep(EAGER_PAUSE).await;
            }
        }
    }

    /// Whether the image has this life of the broker without a fence.
    pub(super) fn is_unfenced(&self) -> bool {
        let image = self.metadata.image();
        let broker = image.brokers.get(self.node.node_id);
        broker.is_some_and(|broker| broker.epoch == self.broker_epoch() && !broker.fenced)
    }

    /// One heartbeat; nothing where the controller did not answer in time.
    async fn beat(&self, want_shut_down: bool) -> Option<BrokerHeartbeatResponse> {
        let request = BrokerHeartbeatRequest {
            broker_id: self.node.node_id,
            broker_epoch: self.broker_epoch(),
            current_metadata_offset: self.metadata.applied() - 1,
            want_fence: false,
            want_shut_down,
            offline_log_dirs: self.data_dirs.offline(),
            ..Default::default()
        };
        self.channel.call(request, self.answer_max()).await.ok()
    }

    /// How long an answer is waited for. An interval may be less than a connection takes to come about;
    /// a third of a session leaves time for another attempt, and for one more.
    fn answer_max(&self) -> Duration {
        let session_ms = self.config.get().node.broker_session_timeout_ms;
        let session = Duration::from_millis(u64::try_from(session_ms).unwrap_or(0));
        self.interval().max(session / 3)
    }

    fn interval(&self) -> Duration {
        let ms = self.config.get().node.broker_heartbeat_interval_ms;
        Duration::from_millis(u64::try_from(ms).unwrap_or(0).max(1))
    }
}

/// Whether the controller knows another life of this broker, or none.
fn is_stale(answer: &BrokerHeartbeatResponse) -> bool {
    let code = ErrorCode::from_code_or_unknown(answer.error_code);
    matches!(code, ErrorCode::StaleBrokerEpoch | ErrorCode::BrokerIdNotRegistered)
}

/// Completes when the image changes while another broker is about to stop: it may, as soon as every
/// broker has told that it knows who leads instead.
async fn neighbour_stops(images: &mut watch::Receiver<Arc<MetadataImage>>, own_id: i32) {
    loop {
        if images.changed().await.is_err() {
            return std::future::pending().await;
        }
        let image = images.borrow_and_update();
        let stops = |broker: &Broker| {
            broker.id != own_id && broker.in_controlled_shutdown && !broker.fenced
        };
        if image.brokers.iter().any(stops) {
            return;
        }
    }
}

/// Beats until the node stops. A node that no longer follows the metadata is silent, so that others
/// take its place.
pub(super) async fn run<E: Env>(driver: Arc<LifecycleDriver<E>>) {
    let mut wants_shutdown = driver.wants_shutdown.subscribe();
    let mut images = driver.metadata.watch_image();
    let mut is_lost = false;
    loop {
        let leaving = *wants_shutdown.borrow_and_update();
        let pause = if leaving { EAGER_PAUSE } else { driver.interval() };
        tokio::select! {
            biased;
            changed = wants_shutdown.changed(), if !leaving => if changed.is_err() { return },
            () = neighbour_stops(&mut images, driver.node.node_id) => {}
            () = driver.env.sleep(pause) => {}
        }
        if driver.metadata.failed().is_some() {
            return;
        }
        let wants_shutdown_now = *driver.wants_shutdown.borrow();
        let answer = driver.beat(wants_shutdown_now).await;
        if answer.is_none() != is_lost {
            is_lost = answer.is_none();
            match is_lost {
                true => tracing::warn!(
                    "the controller does not answer heartbeats; this broker is \
                    fenced unless it does soon"
                ),
                false => tracing::info!("the controller answers heartbeats again"),
            }
        }
        let Some(answer) = answer else { continue };
        if is_stale(&answer) {
            registration::again(&driver).await;
        } else if answer.error_code == 0 && answer.should_shut_down {
            driver.may_shut_down.send_replace(true);
            return;
        }
    }
}
