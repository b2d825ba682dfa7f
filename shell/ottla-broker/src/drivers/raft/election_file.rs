//! Keeps the election state on stable storage.

use ottla_env::{Disk, Env};
use ottla_raft::{Action, ElectionState, NodeId};

use super::core::{Core, Work};
use super::{RaftDriver, quorum_state};

impl<E: Env> RaftDriver<E> {
    /// Writes the election state that `work` asks for, or the newest of those that follow at once: between them nothing
    /// leaves this node.
    pub(super) async fn persist(&self, work: Work) -> Result<(), String> {
        let Work::Act(Action::Persist(first)) = work else { return Ok(()) };
        let (state, voters) = {
            let mut core = self.core.lock();
            let newest = newest(&mut core, first);
            (newest, self.voters_for_file(&core))
        };
        let text = quorum_state::format(&state, voters.as_deref());
        let path = self.folder.join(quorum_state::FILE);
        let disk = self.env.disk().clone();
        let write = move || disk.replace_file(&path, text.as_bytes());
        let written = self.env.run_blocking(write).await.map_err(|error| error.to_string())?;
        written.map_err(|error| format!("{}: {error}", quorum_state::FILE))
    }

    /// Version 0 of the file names the voters; version 1 leaves them to the log.
    fn voters_for_file(&self, core: &Core) -> Option<Vec<NodeId>> {
        (core.raft.kraft_version() == 0).then(|| core.raft.voters().ids().into_iter().collect())
    }
}

/// Takes later states out of the beginning of the queue.
fn newest(core: &mut Core, first: ElectionState) -> ElectionState {
    let mut newest = first;
    let mut at = 0;
    while let Some(Work::Act(action)) = core.queue.get(at) {
        match action {
            Action::Persist(state) => {
                newest = state.clone();
                core.queue.remove(at);
            }
            Action::LeaderChanged { .. } => at += 1,
            _ => break,
        }
    }
    newest
}
