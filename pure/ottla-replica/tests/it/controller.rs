//! The controller as far as one partition sees it: it fences and elects, and takes ISR changes by the
//! rules of KIP-841 and KIP-903. Its history is what brokers learn of it, late.

use ottla_replica::leader::Proposal;

/// The partition and the brokers at one moment.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) leader: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) partition_epoch: i32,
    pub(crate) isr: Vec<i32>,
    /// By id: the broker epoch, and whether it may lead.
    pub(crate) brokers: Vec<(i64, bool)>,
}

/// The controller's word on a proposal.
#[derive(Debug, Clone)]
pub(crate) enum Ruling {
    Noted(View),
    Refused,
    Unknown,
}

#[derive(Debug, Clone)]
pub(crate) struct Controller {
    pub(crate) history: Vec<View>,
}

impl Controller {
    pub(crate) fn new(nodes: usize) -> Controller {
        let view = View {
            leader: 0,
            leader_epoch: 0,
            partition_epoch: 0,
            isr: (0..nodes).map(|id| id as i32).collect(),
            brokers: (0..nodes).map(|id| (id as i64, true)).collect(),
        };
        Controller { history: vec![view] }
    }

    pub(crate) fn now(&self) -> &View {
        self.history.last().unwrap()
    }

    /// The broker is gone: out of the ISR, unless it is the last.
    pub(crate) fn fence(&mut self, id: i32) {
        let mut next = self.now().clone();
        next.brokers[id as usize].1 = false;
        if next.isr.len() > 1 {
            next.isr.retain(|member| *member != id);
        }
        next.partition_epoch += 1;
        if next.leader == id {
            (next.leader, next.leader_epoch) = (-1, next.leader_epoch + 1);
        }
        self.history.push(next);
        self.elect_if_there_is_none(0);
    }

    /// A new life of a broker.
    pub(crate) fn register(&mut self, id: i32) {
        let mut next = self.now().clone();
        let epoch = self.history.len() as i64 + 100;
        next.brokers[id as usize] = (epoch, true);
        self.history.push(next);
        self.elect_if_there_is_none(0);
    }

    /// Another leader, or the same in a new epoch.
    pub(crate) fn elect(&mut self, choice: usize) {
        let mut next = self.now().clone();
        let alive: Vec<i32> =
            next.isr.iter().copied().filter(|id| next.brokers[*id as usize].1).collect();
        if alive.is_empty() {
            return;
        }
        next.leader = alive[choice % alive.len()];
        next.leader_epoch += 1;
        next.partition_epoch += 1;
        self.history.push(next);
    }

    pub(crate) fn alter(&mut self, from: i32, proposal: &Proposal) -> Ruling {
        let now = self.now();
        if now.leader != from || now.leader_epoch != proposal.leader_epoch {
            return Ruling::Unknown;
        }
        if now.partition_epoch != proposal.partition_epoch {
            return Ruling::Unknown;
        }
        let fits = proposal.isr.iter().all(|member| {
            let (epoch, is_active) = now.brokers[member.id as usize];
            is_active && (member.broker_epoch == -1 || member.broker_epoch == epoch)
        });
        if !fits {
            return Ruling::Refused;
        }
        let mut next = now.clone();
        next.isr = proposal.isr.iter().map(|member| member.id).collect();
        next.partition_epoch += 1;
        self.history.push(next.clone());
        Ruling::Noted(next)
    }

    fn elect_if_there_is_none(&mut self, choice: usize) {
        if self.now().leader < 0 {
            self.elect(choice);
        }
    }
}
