//! A broker makes itself known to the controller, and is told the epoch of this life.

use std::sync::Arc;
use std::time::Duration;

use ottla_config::FlushMode;
use ottla_env::Env;
use ottla_metadata::image::{Features, SUPPORTED};
use ottla_protocol::messages::BrokerRegistrationRequest;
use ottla_protocol::messages::broker_registration_request::{Feature, Listener};
use ottla_protocol::{ErrorCode, Str};

use super::{LifecycleDriver, LifecycleError, NO_EPOCH};

/// One try; there is another as long as the start may take.
const TRY_MAX: Duration = Duration::from_secs(5);
/// Pause after a refusal that may not last.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What a refusal means to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Registered,
    /// It may not last: the session of this node's dead process may run on for a while.
    Duplicate,
    OtherCluster,
    Again,
    Refused,
}

fn verdict(code: ErrorCode) -> Verdict {
    match code {
        ErrorCode::None => Verdict::Registered,
        ErrorCode::DuplicateBrokerRegistration => Verdict::Duplicate,
        ErrorCode::InconsistentClusterId => Verdict::OtherCluster,
        ErrorCode::InvalidRegistration
        | ErrorCode::InvalidRequest
        | ErrorCode::UnsupportedVersion
        | ErrorCode::ClusterAuthorizationFailed => Verdict::Refused,
        _ => Verdict::Again,
    }
}

impl<E: Env> LifecycleDriver<E> {
    /// Registers this broker, trying for as long as it may succeed; for `patience` where another broker
    /// has its id.
    pub(super) async fn register(&self, patience: Duration) -> Result<(), LifecycleError> {
        let node_id = self.node.node_id;
        let began = self.env.now();
        let mut is_told = false;
        loop {
            let answer = self.channel.register(self.registration(), TRY_MAX).await;
            let (code, epoch, message) = match answer {
                Ok(epoch) => (ErrorCode::None, epoch, None),
                Err(refusal) => (refusal.code, NO_EPOCH, refusal.message),
            };
            match verdict(code) {
                Verdict::Registered => {
                    self.broker_epoch.send_replace(epoch);
                    tracing::info!(node_id, epoch, "this broker is registered");
                    return Ok(());
                }
                Verdict::Duplicate if self.env.now() - began >= patience => {
                    return Err(LifecycleError::DuplicateId { node_id });
                }
                Verdict::Duplicate if !is_told => {
                    is_told = true;
                    tracing::warn!(
                        node_id,
                        "a broker of this id is live in the cluster; if it is this node's process \
                         before a restart, its session ends by itself, otherwise give this node \
                         another node.id"
                    );
                }
                Verdict::OtherCluster => return Err(self.elsewhere(None)),
                Verdict::Refused => {
                    let features = beyond(&self.metadata.image().features);
                    let said = message.map(|message| message.to_string()).or(features);
                    let said = said.map_or_else(String::new, |said| format!(": {said}"));
                    return Err(LifecycleError::Refused(format!("{}{said}", code.name())));
                }
                Verdict::Again if code == ErrorCode::RequestTimedOut => {
                    self.say_who_is_silent();
                    continue;
                }
                Verdict::Duplicate | Verdict::Again => {}
            }
            self.env.sleep(RETRY_PAUSE).await;
        }
    }

    /// Where nobody leads, the watch of the quorum says so.
    fn say_who_is_silent(&self) {
        let view = self.raft.watch().borrow().clone();
        if let (Some(leader), Some(address)) = (view.leader, view.leader_address) {
            tracing::warn!(
                leader,
                address,
                "the active controller does not answer this broker's registration; check that it \
                 runs and that its address leads to it from here; this node goes on trying"
            );
        }
    }

    /// How long a live broker of the same id is waited for: as long as a broker of Kafka's tries to register. The session
    /// of this node's dead process may begin anew with a new controller, so its length alone says too little.
    pub(crate) fn patience(&self) -> Duration {
        let config = self.config.get();
        let ms = |value: i32| Duration::from_millis(u64::try_from(value).unwrap_or(0));
        let session = ms(config.node.broker_session_timeout_ms) * 2;
        session.max(ms(config.node.initial_broker_registration_timeout_ms))
    }

    fn registration(&self) -> BrokerRegistrationRequest {
        let listeners = self.endpoints.iter().map(|endpoint| Listener {
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
        let config = self.config.get();
        let image = self.metadata.image();
        let log_dirs = self.data_dirs.online();
        // A log that survives a crash makes every stop an orderly one (KIP-966), as long as this life has
        // the directories that the former one had.
        let keeps_all = config.ottla.flush != FlushMode::None;
        let former = image
            .brokers
            .get(self.node.node_id)
            .filter(|former| keeps_all && former.log_dirs.iter().all(|dir| log_dirs.contains(dir)));
        BrokerRegistrationRequest {
            broker_id: self.node.node_id,
            cluster_id: Str::copy_from(&self.node.cluster_id),
            incarnation_id: self.incarnation_id,
            listeners: listeners.collect(),
            features: features.collect(),
            rack: config.node.broker_rack.as_deref().map(Str::copy_from),
            log_dirs,
            previous_broker_epoch: former.map_or(NO_EPOCH, |former| former.epoch),
            ..Default::default()
        }
    }
}

/// What the cluster has agreed on and this node does not know: a controller says no more than that
/// there is something.
fn beyond(features: &Features) -> Option<String> {
    let own = |name: &str| SUPPORTED.iter().find(|own| own.name == name);
    let is_beyond = |(name, level): &(&Str, i16)| {
        own(name.as_str()).is_none_or(|own| *level < own.min || *level > own.max)
    };
    let beyond: Vec<(&Str, i16)> = features.finalized().filter(is_beyond).collect();
    let named: Vec<String> = beyond.iter().map(|(name, level)| format!("{name}={level}")).collect();
    let lowered: Vec<String> = beyond
        .iter()
        .map(|(name, _)| {
            let level = own(name.as_str()).map_or(0, |own| own.max);
            format!(" --feature {name}={level}")
        })
        .collect();
    (!named.is_empty()).then(|| {
        format!(
            "the cluster has agreed on {}, which this node does not serve. Lower that with \
             `kafka-features.sh --bootstrap-server HOST:PORT downgrade{}`, HOST:PORT being a broker \
             of the cluster, and start this node again",
            named.join(", "),
            lowered.concat()
        )
    })
}

/// Registers anew where the controller no longer knows this life of the broker.
pub(super) async fn again<E: Env>(driver: &Arc<LifecycleDriver<E>>) {
    tracing::warn!(
        epoch = driver.broker_epoch(),
        "the controller no longer knows this broker's registration; it registers anew"
    );
    if let Err(error) = driver.register(driver.patience()).await {
        tracing::error!(%error, "this broker has lost its place in the cluster; restart it");
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use ottla_metadata::MetadataRecord;
    use ottla_metadata::controller::Controller;
    use ottla_protocol::messages::FeatureLevelRecord;

    use super::*;

    #[test]
    fn a_feature_that_is_not_served_is_named() {
        let level = |name: &'static str, feature_level| -> MetadataRecord {
            FeatureLevelRecord { name: Str::from(name), feature_level, ..Default::default() }.into()
        };
        let known = [level("metadata.version", 33), level("group.version", 1)];
        let features = |records: &[MetadataRecord]| {
            Controller::from_snapshot(records, 9).unwrap().image().features.clone()
        };
        assert_eq!(beyond(&features(&known)), None);
        let [version, group] = known;
        let text = beyond(&features(&[version, group, level("no.version", 2)])).unwrap();
        assert!(text.contains("no.version=2") && !text.contains("group.version"), "{text}");
        assert!(text.contains("downgrade --feature no.version=0`"), "{text}");
    }

    #[test]
    fn only_what_cannot_pass_ends_a_start() {
        assert_eq!(verdict(ErrorCode::None), Verdict::Registered);
        assert_eq!(verdict(ErrorCode::DuplicateBrokerRegistration), Verdict::Duplicate);
        assert_eq!(verdict(ErrorCode::InconsistentClusterId), Verdict::OtherCluster);
        assert_eq!(verdict(ErrorCode::InvalidRegistration), Verdict::Refused);
        assert_eq!(verdict(ErrorCode::UnsupportedVersion), Verdict::Refused);
        assert_eq!(verdict(ErrorCode::RequestTimedOut), Verdict::Again);
        assert_eq!(verdict(ErrorCode::UnknownServerError), Verdict::Again);
    }
}
