//! The machine of one leadership, and the one place where it is asked and replayed.

use ottla_env::Env;
use ottla_metadata::controller::{Command, Controller, Decision, Soft};
use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;

use super::{ControllerDriver, Decided};
use crate::drivers::raft::Unplaced;

/// The machine, ahead of the image by what is appended and not yet committed.
pub(super) struct Machine {
    pub(super) epoch: i32,
    pub(super) controller: Controller,
    pub(super) soft: Soft,
    /// The last record the machine's state rests on.
    pub(super) last_offset: i64,
}

impl<E: Env> ControllerDriver<E> {
    /// One command: decide, try the records on a copy, append them, take them over. Never dropped
    /// halfway: it runs in the driver's own task.
    pub(super) async fn step(
        &self,
        machine: &mut Machine,
        command: Command,
    ) -> Result<Decided, ErrorCode> {
        loop {
            match self.attempt(machine, command.clone()).await {
                // Decided anew: the quorum has written a record of its own meanwhile.
                Err(Unplaced::Taken) => {}
                Err(Unplaced::Refused(code)) => return Err(code),
                Ok(decided) => return Ok(decided),
            }
        }
    }

    async fn attempt(&self, machine: &mut Machine, command: Command) -> Result<Decided, Unplaced> {
        machine.soft.config = self.config.get();
        machine.soft.voters = self.raft.voters();
        machine.soft.kraft_version = self.raft.kraft_version();
        // The quorum writes records of its own between ours.
        let place = self.raft.next_offset();
        machine.controller.skip_to(place);
        let Decision { records, reply } =
            machine.controller.handle(&mut machine.soft, self.now_ms(), command);
        let epoch = machine.epoch;
        let last_offset = machine.last_offset;
        if records.is_empty() {
            return Ok(Decided { reply, epoch, last_offset, is_change: false });
        }
        // The copy shares the image's memory, so this costs what the records change.
        let mut next = machine.controller.clone();
        for record in &records {
            if let Err(error) = next.replay(record) {
                let record = record.name();
                tracing::error!(%error, record, "a decided record does not fit; nothing was written");
                return Err(ErrorCode::UnknownServerError.into());
            }
        }
        if planted(Plant::MetadataNotLogged) {
            machine.controller = next;
            return Ok(Decided { reply, epoch, last_offset, is_change: false });
        }
        // What changes the level is still written at the one before; a new cluster has none yet.
        let level = match machine.controller.image().features.metadata_version() {
            0 => next.image().features.metadata_version(),
            level => level,
        };
        let last_offset = self.raft.append(epoch, place, &records, level).await?;
        next.skip_to(last_offset + 1);
        machine.controller = next;
        machine.last_offset = last_offset;
        Ok(Decided { reply, epoch, last_offset, is_change: true })
    }

    /// What the machine takes for the time: it must never go back, as a wall clock may.
    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.env.now().as_millis()).unwrap_or(i64::MAX)
    }
}
