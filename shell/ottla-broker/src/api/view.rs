//! A partition as a client is told of it: what can be reached through the client's own listener. Decides
//! nothing.

use ottla_metadata::image::{Broker, MetadataImage, NO_LEADER, Partition};
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
        let has_disk = |place: usize, broker: &Broker| {
            let directory = partition.directories.get(place);
            directory.is_none_or(|directory| broker.has_online_dir(*directory))
        };
        let replicas = partition.replicas.iter().copied().enumerate();
        let is_online = |(place, id): &(usize, i32)| {
            self.reachable(*id).is_some_and(|broker| has_disk(*place, broker))
        };
        replicas.filter(|replica| !is_online(replica)).map(|(_, id)| id).collect()
    }

    /// Those of `ids` that can be reached.
    pub(super) fn reached(self, ids: &[i32]) -> Vec<i32> {
        ids.iter().copied().filter(|id| self.reachable(*id).is_some()).collect()
    }

    fn reachable(&self, id: i32) -> Option<&Broker> {
        let broker = self.image.brokers.get(id)?;
        (!broker.fenced && broker.endpoint(self.listener).is_some()).then_some(broker)
    }
}
