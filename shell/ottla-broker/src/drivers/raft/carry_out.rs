//! Carries out what the machine decided. [`RaftDriver::do_now`] does what needs no disk; [`RaftDriver::do_next`] is the
//! loop's and waits for the disk where it must.

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_protocol::messages::leader_change_message::Voter;
use ottla_protocol::messages::{KRaftVersionRecord, LeaderChangeMessage};
use ottla_protocol::records::BatchOptions;
use ottla_protocol::records::control::{self, ControlRecord};
use ottla_raft::message::Batch;
use ottla_raft::{Action, NodeId, OffsetAndEpoch, Token, VoterSet};

use super::core::{Core, Reply, Work};
use super::{RaftDriver, voters};
use crate::log::AppendError;

impl<E: Env> RaftDriver<E> {
    /// Does one thing if it needs no disk; else gives it back.
    pub(super) fn do_now(&self, core: &mut Core, work: Work) -> Option<Work> {
        match work {
            Work::Append { base_offset, epoch, batch } => {
                return self.append_own(core, base_offset, epoch, batch);
            }
            Work::Act(Action::AppendLeaderChange {
                base_offset,
                epoch,
                voters,
                granting,
                first_voters,
            }) => {
                let batch = self.leader_change(epoch, &voters, &granting, first_voters.as_ref());
                if self.append_own(core, base_offset, epoch, batch).is_some() {
                    return Some(Work::Act(Action::AppendLeaderChange {
                        base_offset,
                        epoch,
                        voters,
                        granting,
                        first_voters,
                    }));
                }
                self.lead_from(epoch, base_offset);
            }
            Work::Act(Action::AppendVoters { base_offset, epoch, voters, is_first }) => {
                let version = is_first.then(version_record);
                let records: Vec<_> = version.into_iter().chain([voters_record(&voters)]).collect();
                let batch = self.control_batch(epoch, &records);
                return self.append_own(core, base_offset, epoch, batch);
            }
            Work::Act(Action::Append(batches)) => return self.append_fetched(core, batches),
            Work::Act(Action::Send { to, endpoint, correlation, request }) => {
                self.send(to, endpoint, correlation, request);
            }
            Work::Act(Action::ReplyVote { token, reply }) => {
                answer(core, token, Reply::Vote(reply));
            }
            Work::Act(Action::Reply { token, reply }) => answer(core, token, Reply::Plain(reply)),
            Work::Act(Action::ReplyFetch { token, reply }) => {
                answer(core, token, Reply::Fetch(reply));
            }
            Work::Act(Action::Committed { high_watermark }) => {
                self.log.partition.advance_high_watermark(high_watermark);
                self.view.send_modify(|view| view.high_watermark = high_watermark);
            }
            // This node's own leadership begins with the first record of its epoch.
            Work::Act(Action::LeaderChanged { is_me: true, .. }) => {}
            Work::Act(Action::LeaderChanged { epoch, leader, .. }) => {
                self.follow(core, epoch, leader);
            }
            Work::Act(Action::Fault { fatal, what }) => self.fault(core, fatal, &what),
            Work::Act(
                action @ (Action::Persist(_)
                | Action::Truncate(_)
                | Action::WriteSnapshot { .. }
                | Action::RestartAt(_)),
            ) => return Some(Work::Act(action)),
        }
        None
    }

    /// Does the first thing in the queue. False where there is none.
    pub(super) async fn do_next(&self) -> bool {
        let work = {
            let mut core = self.core.lock();
            if core.is_over {
                return false;
            }
            let Some(work) = core.queue.pop_front() else { return false };
            let Some(work) = self.do_now(&mut core, work) else { return true };
            core.is_busy = true;
            work
        };
        let done = match work {
            Work::Act(Action::Persist(_)) => self.persist(work).await,
            Work::Act(Action::Truncate(to)) => self.truncate(to).await,
            Work::Act(action @ (Action::WriteSnapshot { .. } | Action::RestartAt(_))) => {
                self.do_with_snapshot(action).await
            }
            // The log has no room at the moment.
            work => {
                self.data_dir.room().await;
                self.core.lock().queue.push_front(work);
                Ok(())
            }
        };
        self.core.lock().is_busy = false;
        if let Err(what) = done {
            self.fail(&what);
        }
        true
    }

    /// Appends a batch of this leader, at the place it was given. Gives it back where there is no room.
    fn append_own(
        &self,
        core: &mut Core,
        base_offset: i64,
        epoch: i32,
        batch: Bytes,
    ) -> Option<Work> {
        match self.log.append_own(batch.clone(), epoch, self.env.wall_ms()) {
            Ok(appended) => {
                assert_eq!(appended.base_offset, base_offset, "the machine counts as the log does");
                self.note_appended(core, appended.lsn, appended.last_offset + 1, epoch);
                None
            }
            Err(AppendError::Busy) => Some(Work::Append { base_offset, epoch, batch }),
            Err(error) => {
                tracing::error!(%error, "cannot append to the metadata log");
                self.end(core);
                None
            }
        }
    }

    /// Appends what the leader sent, as it is.
    fn append_fetched(&self, core: &mut Core, mut batches: Vec<Batch>) -> Option<Work> {
        while let Some(batch) = batches.first() {
            match self.log.append_fetched(batch.bytes.clone(), batch.epoch, self.env.wall_ms()) {
                Ok(appended) => {
                    assert_eq!(appended.base_offset, batch.base_offset, "what continues the log");
                    self.note_appended(core, appended.lsn, batch.last_offset + 1, batch.epoch);
                    batches.remove(0);
                }
                Err(AppendError::Busy) => return Some(Work::Act(Action::Append(batches))),
                Err(error) => {
                    tracing::error!(%error, "cannot append to the metadata log what its leader sent");
                    self.end(core);
                    return None;
                }
            }
        }
        None
    }

    fn note_appended(&self, core: &mut Core, lsn: u64, end: i64, epoch: i32) {
        core.undurable.push_back((lsn, OffsetAndEpoch::new(end, epoch)));
        self.view.send_modify(|view| view.log_end = end);
        self.work.notify_one();
    }

    async fn truncate(&self, to: i64) -> Result<(), String> {
        let log = Arc::clone(&self.log.partition);
        let cut = self.env.run_blocking(move || log.truncate_to(to)).await;
        let lsn = cut.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        self.data_dir.wait_durable(lsn).await.map_err(|error| error.to_string())?;
        self.view.send_modify(|view| view.log_end = to);
        // What was not known to be durable of the part that stays is so now.
        let last_epoch = self.log.partition.leader_epoch().unwrap_or(0);
        let undurable = &mut self.core.lock().undurable;
        undurable.clear();
        undurable.push_back((lsn, OffsetAndEpoch::new(to, last_epoch)));
        self.work.notify_one();
        tracing::info!(to, "the metadata log was cut to where it agrees with the leader's");
        Ok(())
    }

    fn leader_change(
        &self,
        epoch: i32,
        voters: &[NodeId],
        granting: &[NodeId],
        first_voters: Option<&VoterSet>,
    ) -> Bytes {
        let named = |ids: &[NodeId]| -> Vec<Voter> {
            ids.iter().map(|id| Voter { voter_id: id.0, ..Default::default() }).collect()
        };
        let change = LeaderChangeMessage {
            leader_id: self.node.node_id,
            voters: named(voters),
            granting_voters: named(granting),
            ..Default::default()
        };
        let mut records = vec![ControlRecord::LeaderChange(change)];
        if let Some(set) = first_voters {
            records.extend([version_record(), voters_record(set)]);
        }
        self.control_batch(epoch, &records)
    }

    fn control_batch(&self, epoch: i32, records: &[ControlRecord]) -> Bytes {
        let options = BatchOptions { leader_epoch: epoch, ..BatchOptions::default() };
        control::batch(options, self.env.wall_ms(), records).expect("their fields fit version 0")
    }

    fn lead_from(&self, epoch: i32, epoch_start: i64) {
        tracing::info!(epoch, epoch_start, "this node leads the metadata quorum");
        let me = self.node.node_id;
        self.view.send_modify(|view| {
            (view.epoch, view.leader, view.is_me) = (epoch, Some(me), true);
            view.epoch_start = epoch_start;
            view.leader_address = self.own_address();
        });
    }

    fn follow(&self, core: &Core, epoch: i32, leader: Option<NodeId>) {
        let endpoint = core.raft.leader_endpoints().get(&self.listener);
        let address = endpoint.filter(|_| core.raft.election().epoch == epoch);
        let address = address.map(super::endpoints::host_and_port);
        let leader = leader.map(|leader| leader.0);
        let is_news = {
            let view = self.view.borrow();
            (view.epoch, view.leader) != (epoch, leader)
        };
        match leader {
            Some(leader) if is_news => {
                tracing::info!(epoch, leader, address, "the metadata quorum has a leader");
            }
            None if is_news => tracing::info!(epoch, "the metadata quorum looks for a leader"),
            _ => {}
        }
        self.view.send_modify(|view| {
            (view.epoch, view.is_me) = (epoch, false);
            (view.leader, view.leader_address) = (leader, address);
        });
    }

    fn fault(&self, core: &mut Core, fatal: bool, what: &str) {
        if fatal {
            tracing::error!(what, "this node takes no part in the metadata quorum any more");
            self.end(core);
        } else {
            tracing::warn!(what, "a peer of the metadata quorum is at odds with this node");
        }
    }
}

/// From here on the log says who votes.
fn version_record() -> ControlRecord {
    let k_raft_version = 1;
    ControlRecord::KRaftVersion(KRaftVersionRecord {
        k_raft_version,
        ..KRaftVersionRecord::default()
    })
}

fn voters_record(set: &VoterSet) -> ControlRecord {
    ControlRecord::KRaftVoters(voters::record_of(set))
}

/// Answers an asker that is still there.
fn answer(core: &mut Core, token: Token, reply: Reply) {
    if let Some(asker) = core.askers.remove(&token) {
        // Whoever asked may be gone.
        let _ = asker.send(reply);
    }
}
