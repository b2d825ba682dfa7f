//! The controller's task: leadership gained and lost, commands in between, and what is due by time.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_metadata::MetadataRecord;
use ottla_metadata::controller::{Command, Soft};
use ottla_protocol::messages::AbortTransactionRecord;
use ottla_protocol::{ErrorCode, Str};
use tokio::sync::mpsc;

use super::machine::Machine;
use super::{ControllerDriver, Decided, Submission};
use crate::drivers::raft::{QuorumView, Unplaced};

/// Pause before a new leader that could not begin tries again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Runs until the node stops.
pub(super) async fn run<E: Env>(
    driver: Arc<ControllerDriver<E>>,
    mut commands: mpsc::Receiver<Submission>,
) {
    let mut view = driver.raft.watch();
    let mut images = driver.metadata.watch_image();
    let mut machine: Option<Machine> = None;
    loop {
        let now = view.borrow_and_update().clone();
        if machine.as_ref().is_some_and(|held| !now.is_me || held.epoch != now.epoch) {
            machine = None;
            driver.lost();
        }
        if machine.is_none() && now.is_me {
            machine = driver.gain(&now).await;
            if driver.metadata.failed().is_some() {
                // Another can lead; this node must not, and does not vote either.
                driver.raft.resign().await;
                return;
            }
            if machine.is_none() {
                driver.env.sleep(RETRY_PAUSE).await;
                continue;
            }
        }
        if let Some(held) = &mut machine {
            held.controller.share(&images.borrow_and_update());
        }
        let due = driver.due(machine.as_ref());
        tokio::select! {
            biased;
            changed = view.changed() => if changed.is_err() { return },
            changed = images.changed() => if changed.is_err() { return },
            () = due => {
                // Its reply says nothing; what it could not do is due again.
                if driver.decide(&mut machine, Command::Tick).await.is_err() {
                    driver.env.sleep(RETRY_PAUSE).await;
                }
            }
            submission = commands.recv() => {
                let Some(Submission { command, answer }) = submission else { return };
                let _gone = answer.send(driver.decide(&mut machine, command).await);
            }
        }
    }
}

impl<E: Env> ControllerDriver<E> {
    async fn decide(
        &self,
        machine: &mut Option<Machine>,
        command: Command,
    ) -> Result<Decided, ErrorCode> {
        let held = machine.as_mut().ok_or(ErrorCode::NotController)?;
        let decided = self.step(held, command).await;
        if let Err(ErrorCode::NotController) = decided {
            *machine = None;
            self.lost();
        }
        decided
    }

    /// Completes when the machine wants to be asked; never where it does not.
    fn due(&self, machine: Option<&Machine>) -> impl Future<Output = ()> + Send + use<E> {
        let deadline = machine.and_then(|held| held.controller.deadline_ms(&held.soft));
        let wait = deadline.map(|deadline_ms| {
            let left = u64::try_from(deadline_ms.saturating_sub(self.now_ms())).unwrap_or(0);
            self.env.sleep(Duration::from_millis(left))
        });
        async move {
            match wait {
                Some(wait) => wait.await,
                None => std::future::pending().await,
            }
        }
    }

    fn lost(&self) {
        self.active.send_replace(None);
        tracing::info!(node = self.node.node_id, "this node is no longer the active controller");
    }

    /// Begins to decide, once everything of earlier leaders is applied here; nothing where the
    /// leadership ends before that.
    async fn gain(self: &Arc<Self>, view: &QuorumView) -> Option<Machine> {
        let mut views = self.raft.watch();
        let epoch = view.epoch;
        let lost = async {
            let _ = views.wait_for(|now| !now.is_me || now.epoch != epoch).await;
        };
        let begun = tokio::select! {
            biased;
            applied = self.metadata.applied_to(view.epoch_start + 1) => match applied {
                Ok(()) => self.begin(view).await,
                Err(_) => Err(ErrorCode::KafkaStorageError),
            },
            () = lost => return None,
        };
        match begun {
            Ok(machine) => {
                self.active.send_replace(Some(epoch));
                let node = self.node.node_id;
                tracing::info!(node, epoch, "this node is the active controller");
                self.suspect_all();
                Some(machine)
            }
            Err(code) => {
                tracing::warn!(error = code.name(), "cannot begin as the active controller");
                None
            }
        }
    }

    async fn begin(&self, view: &QuorumView) -> Result<Machine, ErrorCode> {
        let mut controller = self.metadata.machine().await;
        let epoch = view.epoch;
        let mut last_offset = view.epoch_start;
        if controller.has_open_transaction() {
            // Its rest died with the leader that wrote it.
            let reason = Some("The controller changed".into());
            let abort: MetadataRecord =
                AbortTransactionRecord { reason, ..Default::default() }.into();
            let level = controller.image().features.metadata_version();
            let place = self.raft.next_offset();
            let appended =
                self.raft.append(epoch, place, std::slice::from_ref(&abort), level).await;
            last_offset = appended.map_err(Unplaced::code)?;
            let replayed = controller.replay(&abort);
            replayed.map_err(|_| ErrorCode::UnknownServerError)?;
            controller.skip_to(last_offset + 1);
        }
        let mut seed = [0; 4];
        seed.fill_with(|| self.env.random_u64());
        let mut soft = Soft::new(self.node.node_id, self.config.get(), seed);
        soft.cluster_id = Some(Str::copy_from(&self.node.cluster_id));
        let mut machine = Machine { epoch, controller, soft, last_offset };
        // The first records of a cluster, where there are none.
        if machine.controller.image().features.is_empty() {
            let formatted = self.raft.formatted().await.map_err(|error| {
                tracing::error!(%error, "cannot read what this directory was formatted with");
                ErrorCode::KafkaStorageError
            })?;
            self.step(&mut machine, Command::Bootstrap(formatted)).await?;
        }
        Ok(machine)
    }
}
