//! Brokers that may be gone: the connection of their heartbeats ended, or the controller is new and has
//! never heard of them. Where nobody listens any more, the process is gone, and others need not wait for
//! its session to run out. Where nothing is known, the session decides.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_metadata::controller::Command;
use ottla_metadata::image::Endpoint;

use super::ControllerDriver;

/// How long a broker may take to accept a connection. A machine that is gone does not answer at all.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Before each look. A process that dies closes its sockets one after the other: the connection of its
/// heartbeats may end before it has ceased to listen.
const LOOKS: [Duration; 3] =
    [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(500)];

/// What a look at one address gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Somebody listens.
    Open,
    /// The machine is there, and nobody listens.
    Refused,
    Unknown,
}

/// Gone is who listens nowhere, as far as the machine itself says so.
fn is_gone(looks: &[Look]) -> bool {
    !looks.is_empty() && looks.iter().all(|look| *look == Look::Refused)
}

impl<E: Env> ControllerDriver<E> {
    /// Looks after a broker whose heartbeats ended with their connection.
    pub(crate) fn suspect(self: &Arc<Self>, broker_id: i32, broker_epoch: i64) {
        if self.is_active() && broker_id != self.node.node_id {
            let driver = Arc::clone(self);
            drop(self.env.spawn("suspect", look_after(driver, broker_id, broker_epoch)));
        }
    }

    /// Looks after every broker: a new controller has heard of none.
    pub(super) fn suspect_all(self: &Arc<Self>) {
        for broker in self.metadata.image().brokers.iter().filter(|broker| !broker.fenced) {
            self.suspect(broker.id, broker.epoch);
        }
    }
}

async fn look_after<E: Env>(driver: Arc<ControllerDriver<E>>, broker_id: i32, broker_epoch: i64) {
    for pause in LOOKS {
        driver.env.sleep(pause).await;
        look_once(&driver, broker_id, broker_epoch).await;
    }
}

async fn look_once<E: Env>(driver: &ControllerDriver<E>, broker_id: i32, broker_epoch: i64) {
    let image = driver.metadata.image();
    let known = image.brokers.get(broker_id);
    let Some(broker) = known.filter(|known| known.epoch == broker_epoch && !known.fenced) else {
        return;
    };
    let mut looks = Vec::with_capacity(broker.endpoints.len());
    for endpoint in &broker.endpoints {
        looks.push(look(&driver.env, endpoint).await);
    }
    if is_gone(&looks) {
        tracing::info!(
            broker_id,
            broker_epoch,
            "nobody listens where this broker did; it is fenced"
        );
        // Where this node no longer decides, the next controller looks itself.
        let _decided = driver.submit(Command::BrokerLost { broker_id, broker_epoch }, false).await;
    }
}

/// A name may have several addresses; who listens at one of them is there.
async fn look<E: Env>(env: &E, endpoint: &Endpoint) -> Look {
    let found = env.timeout(LOOK_MAX, env.resolve(&endpoint.host, endpoint.port)).await;
    let Ok(Ok(addresses)) = found else { return Look::Unknown };
    let mut seen = Look::Refused;
    for address in &addresses {
        match env.timeout(LOOK_MAX, env.connect(*address)).await {
            Ok(Ok(_)) => return Look::Open,
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {}
            _ => seen = Look::Unknown,
        }
    }
    if addresses.is_empty() { Look::Unknown } else { seen }
}

#[cfg(test)]
mod tests {
    use super::{Look, is_gone};

    #[test]
    fn only_who_listens_nowhere_is_gone() {
        assert!(is_gone(&[Look::Refused]));
        assert!(is_gone(&[Look::Refused, Look::Refused]));
        assert!(!is_gone(&[Look::Refused, Look::Open]));
        assert!(!is_gone(&[Look::Refused, Look::Unknown]), "a network in between may refuse");
        assert!(!is_gone(&[Look::Unknown]));
        assert!(!is_gone(&[]));
    }
}
