//! The controller as this partition sees it: one decision after the other, told to every node in order, some time
//! later. It notices after a while that a broker is gone.

use std::collections::BTreeMap;

use ottla_replica::Member;
use ottla_replica::leader::{PartitionState, Proposal};

/// What it knows and tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) leader: i32,
    pub(super) leader_epoch: i32,
    pub(super) partition_epoch: i32,
    pub(super) isr: Vec<i32>,
    pub(super) replicas: Vec<i32>,
    /// Epochs of the brokers that are not fenced.
    pub(super) active: Vec<(i32, i64)>,
}

impl State {
    pub(super) fn partition(&self) -> PartitionState<'_> {
        PartitionState {
            replicas: &self.replicas,
            isr: &self.isr,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
        }
    }

    pub(super) fn members(&self) -> Vec<Member> {
        let member =
            |(id, broker_epoch): &(i32, i64)| Member { id: *id, broker_epoch: *broker_epoch };
        self.active.iter().map(member).collect()
    }

    pub(super) fn epoch_of(&self, id: i32) -> Option<i64> {
        self.active.iter().find(|(other, _)| *other == id).map(|(_, epoch)| *epoch)
    }
}

/// What it says to a request for another ISR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    Noted(State),
    Refused,
    Unknown,
}

/// See the module's first line.
pub(super) struct Controller {
    pub(super) state: State,
    next_epoch: i64,
    registered: BTreeMap<i32, i64>,
}

impl Controller {
    pub(super) fn new(replicas: Vec<i32>) -> Controller {
        let state = State {
            leader: -1,
            leader_epoch: 0,
            partition_epoch: 0,
            isr: replicas.clone(),
            replicas,
            active: Vec::new(),
        };
        Controller { state, next_epoch: 1, registered: BTreeMap::new() }
    }

    /// A broker's process begins: its earlier life is over.
    pub(super) fn register(&mut self, id: i32) -> i64 {
        let epoch = self.next_epoch;
        self.next_epoch += 1;
        self.fence(id);
        self.registered.insert(id, epoch);
        epoch
    }

    /// A broker has caught up with the metadata and takes part.
    pub(super) fn unfence(&mut self, id: i32, epoch: i64) {
        if self.registered.get(&id) != Some(&epoch) || self.state.epoch_of(id).is_some() {
            return;
        }
        self.state.active.push((id, epoch));
        if self.state.leader < 0 && self.state.isr.contains(&id) {
            self.elect(id);
        }
    }

    /// A broker is gone: it leaves the ISR, unless it is the last one in it, and leads no more.
    pub(super) fn fence(&mut self, id: i32) {
        self.state.active.retain(|(other, _)| *other != id);
        if self.state.isr.contains(&id) && self.state.isr.len() > 1 {
            self.state.isr.retain(|other| *other != id);
            self.state.partition_epoch += 1;
        }
        if self.state.leader == id {
            let isr = self.state.isr.clone();
            match isr.into_iter().find(|other| self.state.epoch_of(*other).is_some()) {
                Some(next) => self.elect(next),
                None => self.elect(-1),
            }
        }
    }

    /// Another leader, as after a reassignment or a preferred election.
    pub(super) fn elect(&mut self, id: i32) {
        self.state.leader = id;
        self.state.leader_epoch += 1;
        self.state.partition_epoch += 1;
    }

    /// KIP-497, KIP-841, KIP-903.
    pub(super) fn alter(&mut self, from: i32, proposal: &Proposal) -> Decision {
        let state = &self.state;
        let current = proposal.leader_epoch == state.leader_epoch
            && proposal.partition_epoch == state.partition_epoch
            && state.leader == from;
        if !current {
            return Decision::Unknown;
        }
        let eligible = |member: &Member| {
            let epoch = state.epoch_of(member.id);
            epoch.is_some_and(|epoch| member.broker_epoch < 0 || member.broker_epoch == epoch)
        };
        if !proposal.isr.iter().all(eligible) {
            return Decision::Refused;
        }
        self.state.isr = proposal.isr.iter().map(|member| member.id).collect();
        self.state.partition_epoch += 1;
        Decision::Noted(self.state.clone())
    }
}
