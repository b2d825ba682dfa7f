//! `Soft`: what the controller knows besides the log. Lost with the process, and no loss.

use std::sync::Arc;

use ottla_config::BrokerConfig;
use ottla_protocol::Str;

use super::entropy::Entropy;
use super::levels::Levels;
use super::sessions::Sessions;
use super::tick::Clocks;
use crate::image::MetadataImage;

#[derive(Debug, Clone)]
pub struct Soft {
    /// The node the controller runs on.
    pub node_id: i32,
    /// That node's configuration, with the cluster's dynamic values in it.
    pub config: Arc<BrokerConfig>,
    /// What brokers must say they belong to; nothing where that is not checked.
    pub cluster_id: Option<Str>,
    /// The controllers of the quorum, this one among them.
    pub voters: Vec<i32>,
    /// The quorum's own level of `kraft.version`.
    pub kraft_version: i16,
    pub(super) entropy: Entropy,
    pub(super) sessions: Sessions,
    pub(super) levels: Levels,
    /// Nothing before the first command.
    pub(super) clocks: Option<Clocks>,
    /// How far the renewal of leader epochs has come, in the life of the broker with that epoch.
    pub(super) renewal: Option<(i64, usize)>,
}

impl Soft {
    /// `seed` makes topic ids: no two processes may have the same.
    pub fn new(node_id: i32, config: Arc<BrokerConfig>, seed: [u64; 4]) -> Self {
        Self {
            node_id,
            config,
            cluster_id: None,
            voters: vec![node_id],
            kraft_version: 0,
            entropy: Entropy::new(seed),
            sessions: Sessions::default(),
            levels: Levels::unknown(),
            clocks: None,
            renewal: None,
        }
    }

    /// Takes note of the time and of what the log brought since the last command. The first time
    /// this is how a new controller begins: every session is fresh, and everything is looked at.
    pub(super) fn follow(&mut self, image: &MetadataImage, now_ms: i64) {
        self.sessions.follow(&image.brokers, now_ms);
        self.levels.look_around(&image.brokers);
        let fresh = Clocks { preferred_ms: now_ms, unclean_ms: now_ms, written_ms: now_ms };
        self.clocks.get_or_insert(fresh);
    }

    pub(super) fn session_timeout_ms(&self) -> i64 {
        i64::from(self.config.node.broker_session_timeout_ms)
    }

    pub(super) fn has_live_session(&self, broker: i32, now_ms: i64) -> bool {
        self.sessions.is_live(broker, now_ms, self.session_timeout_ms())
    }
}
