//! A replica goes on in another log, which has all that its own one had.

use std::sync::Arc;

use ottla_env::Env;
use ottla_replica::Follower;
use ottla_replica::leader;

use super::hosted::Partition;
use super::replica::Role;
use crate::log::{self, LogError, ProgressListener};

impl<E: Env> Partition<E> {
    /// A copy follows this node's own replica.
    pub(crate) fn follow_here(&self, me: i32, epoch: i32) -> Result<(), LogError> {
        self.follow(me, epoch).map(|_is_new| ())
    }

    /// Whom it follows, if it does.
    pub(crate) fn followed(&self) -> Option<i32> {
        match &*self.replica.role.lock() {
            Role::Follower(follower) => Some(follower.leader()),
            _ => None,
        }
    }

    /// The same replica in `copy`: with its part, and those who wait for it. Answers the position from
    /// which on the copy is the replica for every later start.
    pub(super) fn moved_to(
        &self,
        copy: &Arc<log::Partition<E>>,
    ) -> Result<(Arc<Partition<E>>, u64), LogError> {
        let replica = &self.replica;
        let mut role = replica.role.lock();
        let epoch = replica.standing().epoch;
        copy.advance_high_watermark(self.log.offsets().high_watermark);
        let lsn = copy.become_replica()?;
        copy.set_config(self.log.config());
        let moved = Arc::new(Partition { log: Arc::clone(copy), replica: Arc::clone(replica) });
        copy.on_progress(Arc::clone(replica) as Arc<dyn ProgressListener>);
        match &mut *role {
            Role::Nothing => {}
            Role::Alone => {
                copy.set_replicated(false)?;
                copy.lead(epoch)?;
            }
            Role::Leader(leader) => {
                copy.lead(epoch)?;
                let offsets = copy.offsets();
                let (durable_end, log_end) = (offsets.durable_end, offsets.log_end);
                moved.step(leader, leader::Event::Durable { durable_end, log_end });
            }
            Role::Follower(follower) => {
                copy.follow(epoch);
                // What it asked its leader for was for the other log.
                **follower = Follower::new(follower.leader(), epoch, replica.office.backoff_ms());
            }
        }
        drop(role);
        moved.watchers().wake_all();
        Ok((moved, lsn))
    }
}
