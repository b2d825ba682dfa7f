//! What a machine asks for is done: on its disk, and on the wire.

use bytes::Bytes;
use ottla_judge::watch::Entry;
use ottla_raft::message::{FetchAnswer, Response, SnapshotAnswer};
use ottla_raft::{Action, FetchReply, NodeId, OffsetAndEpoch, ReadFrom, Token};

use super::super::disk::Disk;
use super::{Letter, World};

/// Records of one answer at most, so that logs part and meet in the middle of things.
const ANSWER_MAX: u64 = 8;
/// Of a snapshot, at once.
const PIECE_BYTES: usize = 160;

impl World {
    pub(super) fn perform(&mut self, id: NodeId, actions: Vec<Action>) {
        for action in actions {
            self.perform_one(id, action);
        }
    }

    fn perform_one(&mut self, id: NodeId, action: Action) {
        match action {
            Action::Persist(election) => {
                self.watchers.writes(id, &election);
                self.node(id).disk.election = election;
            }
            Action::AppendLeaderChange { base_offset, epoch, .. } => {
                // No client writes this value.
                let change = Entry { epoch, value: u64::MAX - u64::from(id.0.unsigned_abs()) };
                self.node(id).disk.append(base_offset, &[change]);
                self.sync_later(id);
            }
            Action::Append(batches) => {
                let disk = &mut self.node(id).disk;
                batches.iter().for_each(|batch| disk.take(batch));
                self.sync_later(id);
            }
            Action::Truncate(to) => {
                let node = self.node(id);
                node.life += 1;
                node.disk.truncate(to);
                // A sync that was under way says nothing of what is left.
                self.sync_later(id);
                self.check_stable();
            }
            Action::WriteSnapshot { snapshot, position, bytes, last } => {
                let node = self.node(id);
                node.disk.write_copy(position, &bytes);
                if last {
                    let life = node.life;
                    let delay_ms = self.manner.sync_ms;
                    self.post(Letter::Installed { node: id, life, snapshot }, delay_ms);
                }
            }
            Action::RestartAt(at) => {
                let node = self.node(id);
                node.life += 1;
                node.disk.install(at);
                self.check_stable();
            }
            Action::Send { to, endpoint, correlation, request } => {
                // Bootstrap servers have no id yet: the address says who it is.
                let to = if to.0 < 0 { NodeId(i32::from(endpoint.port)) } else { to };
                self.send(Letter::Request { from: id, to, correlation, request });
            }
            Action::Committed { high_watermark } => self.commit(id, high_watermark),
            Action::LeaderChanged { epoch, is_me, .. } => {
                if is_me {
                    self.watchers.leads(id, epoch);
                    let now_ms = self.now_ms;
                    let node = self.node(id);
                    node.leads_since_ms = now_ms;
                    node.heard_ms.clear();
                }
            }
            // Such as a peer that contradicts what is known here: no matter where letters are doubled.
            Action::Fault { fatal: false, .. } => {}
            Action::Fault { what, .. } => self.watchers.fault(format!("{id}: {what}")),
            reply => self.perform_reply(id, reply),
        }
    }

    fn perform_reply(&mut self, id: NodeId, action: Action) {
        match action {
            Action::ReplyVote { token, reply } => self.reply(id, token, Response::Vote(reply)),
            Action::Reply { token, reply } => {
                self.reply(id, token, Response::BeginQuorumEpoch(reply));
            }
            Action::ReplyFetch { token, reply } => {
                let open = self.nodes[&id].open.get(&token);
                let of_snapshot = open.is_some_and(|(_, _, of_snapshot)| *of_snapshot);
                let response = self.read(id, reply, of_snapshot);
                self.reply(id, token, response);
            }
            _ => {}
        }
    }

    fn commit(&mut self, id: NodeId, mark: i64) {
        let node = &self.nodes[&id];
        let (boot, disk): (u64, &Disk) = (node.boot, &node.disk);
        self.watchers.commits(id, boot, mark, disk);
        self.check_stable();
    }

    fn read(&mut self, id: NodeId, reply: FetchReply, of_snapshot: bool) -> Response {
        let limit = self.random.between(1, ANSWER_MAX) as usize;
        let FetchReply { answer, high_watermark, diverging, snapshot, read, .. } = reply;
        let disk = &self.nodes[&id].disk;
        if of_snapshot {
            let (snapshot, position, (size, bytes)) = match read {
                Some(ReadFrom::Snapshot { snapshot, position, .. }) => {
                    (snapshot, position, disk.snapshot_piece(position, PIECE_BYTES))
                }
                _ => (OffsetAndEpoch::default(), 0, (0, Bytes::new())),
            };
            return Response::FetchSnapshot(SnapshotAnswer {
                answer,
                snapshot,
                size,
                position,
                bytes,
            });
        }
        let batches = match read {
            Some(ReadFrom::Log { offset, .. }) if offset <= disk.end() => disk.read(offset, limit),
            _ => Vec::new(),
        };
        Response::Fetch(FetchAnswer { answer, high_watermark, diverging, snapshot, batches })
    }

    fn reply(&mut self, from: NodeId, token: Token, response: Response) {
        let Some((to, correlation, _)) = self.node(from).open.remove(&token) else { return };
        if let Response::Vote(vote) = &response
            && vote.granted
            && let Some(voted) = self.nodes[&from].raft.as_ref().map(|raft| raft.election().clone())
            && voted.voted.is_some_and(|voted| voted.id == to)
        {
            self.watchers.grants(from, voted.epoch, to);
        }
        self.send(Letter::Response { from, to, correlation, response });
    }
}
