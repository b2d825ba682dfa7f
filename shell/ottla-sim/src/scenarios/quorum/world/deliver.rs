//! What was under way arrives.

use ottla_raft::message::{Request, Response};
use ottla_raft::{Event, NodeId, Token};

use super::{Letter, World};

impl World {
    pub(super) fn deliver(&mut self, letter: Letter) {
        let to = match &letter {
            Letter::Request { to, .. } | Letter::Response { to, .. } => *to,
            Letter::Synced { node, .. } | Letter::Installed { node, .. } => *node,
        };
        if self.nodes[&to].paused {
            self.node(to).held.push(letter);
            return;
        }
        match letter {
            Letter::Request { from, to, correlation, request } => {
                if !self.cut.contains(&(from, to)) {
                    self.ask(from, to, correlation, request);
                }
            }
            Letter::Response { from, to, correlation, response } => {
                if !self.cut.contains(&(from, to)) {
                    self.answer(from, to, correlation, &response);
                }
            }
            Letter::Synced { node: id, life, at } => {
                let node = self.node(id);
                if node.life == life {
                    node.disk.synced = node.disk.synced.max(at.offset);
                    self.event(id, Event::Durable { at });
                }
            }
            Letter::Installed { node: id, life, snapshot } => {
                if self.nodes[&id].life == life {
                    self.event(id, Event::SnapshotInstalled { snapshot, voters: None });
                }
            }
        }
    }

    fn ask(&mut self, from: NodeId, to: NodeId, correlation: u64, request: Request) {
        self.tokens += 1;
        let token = Token(self.tokens);
        let is_voter = self.voters.ids().contains(&from);
        let now_ms = self.now_ms;
        let node = self.node(to);
        if node.raft.is_none() {
            let response = Response::Failed;
            return self.send(Letter::Response { from: to, to: from, correlation, response });
        }
        let of_snapshot = matches!(request, Request::FetchSnapshot(_));
        if is_voter && (of_snapshot || matches!(request, Request::Fetch(_))) {
            node.heard_ms.insert(from, now_ms);
        }
        node.open.insert(token, (from, correlation, of_snapshot));
        self.event(to, Event::Request { token, request });
    }

    /// The machine knows a bootstrap server by a negative id: the answer comes from that one too.
    fn answer(&mut self, from: NodeId, to: NodeId, correlation: u64, response: &Response) {
        let mut others = self.voters.ids().into_iter().filter(|id| *id != to);
        let alias = others.position(|id| id == from).map(|at| NodeId(-(at as i32) - 2));
        for from in [Some(from), alias].into_iter().flatten() {
            let response = response.clone();
            self.event(to, Event::Response { from, correlation, response });
        }
    }
}
