//! A partition as a client is told of it: what can be reached through the client's own listener. Decides
//! nothing.

use ottla_metadata::image::{MetadataImage, NO_LEADER, Partition};
use ottla_protocol::ErrorCode;

/// The cluster, seen through one listener.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) image: &'a MetadataImage,
    pub(super) listener: &'a str,
}

impl View<'_> {
    /// The leader, and why a client cannot talk to it: nobody where it is not among the nodes that clients
    /// are told of.
    pub(super) fn leader(self, partition: &Partition) -> (i32, ErrorCode) {
        match self.image.brokers.get(partition.leader) {
            Some(leader) if leader.fenced => (NO_LEADER, ErrorCode::LeaderNotAvailable),
            Some(leader) if leader.endpoint(self.listener).is_none() => {
                (NO_LEADER, ErrorCode::ListenerNotFound)
            }
            Some(_) => (partition.leader, ErrorCode::None),
            None => (NO_LEADER, ErrorCode::LeaderNotAvailable),
        }
    }

    /// Replicas that nobody can read from: the broker cannot be reached, or their disk is gone.
    pub(super) fn offline_replicas(self, partition: &Partition) -> Vec<i32> {
        let has_disk = |place: usize, id: i32| match partition.directories.get(place) {
            Some(directory) => {
                self.image.brokers.get(id).is_some_and(|broker| broker.has_online_dir(*directory))
            }
            None => true,
        };
        let replicas = partition.replicas.iter().enumerate();
        replicas
            .filter(|(place, id)| !self.is_reached(**id) || !has_disk(*place, **id))
            .map(|(_, id)| *id)
            .collect()
    }

    /// Those of `ids` that can be reached.
    pub(super) fn reached(self, ids: &[i32]) -> Vec<i32> {
        ids.iter().copied().filter(|id| self.is_reached(*id)).collect()
    }

    fn is_reached(self, id: i32) -> bool {
        let broker = self.image.brokers.get(id);
        broker.is_some_and(|broker| !broker.fenced && broker.endpoint(self.listener).is_some())
    }
}
