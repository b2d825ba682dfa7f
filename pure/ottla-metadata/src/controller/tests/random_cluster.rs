//! Three to five brokers to which everything happens, in any order. After every record the promises of
//! `docs/glossary.md` hold: one leader an epoch, the leader in its ISR, nobody elected cleanly who may
//! lack something; and when nothing is left to do, nothing is left undone.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use proptest::prelude::*;

use super::*;
use crate::image::{NO_LEADER, RECOVERING};
use crate::snapshot;

/// One thing that happens. Brokers and partitions are picked modulo how many there are.
#[derive(Debug, Clone)]
enum Event {
    Beat(i32),
    /// Time passes; the brokers of the bits are heard of.
    Wait(i64, u8),
    WantShutdown(i32),
    Restart {
        broker: i32,
        is_clean: bool,
        has_new_disk: bool,
    },
    Isr(usize, u8),
    Reassign(usize, Vec<i32>),
    Cancel(usize),
    Elect(i8),
    Create(Vec<i32>, bool),
    Tick,
    NewController,
    Unregister(i32),
}

fn event() -> impl Strategy<Value = Event> {
    let broker = 0i32..5;
    let ids = prop::collection::vec(0i32..5, 1..4);
    prop_oneof![
        6 => broker.clone().prop_map(Event::Beat),
        6 => (1i64..12_000, any::<u8>()).prop_map(|(ms, alive)| Event::Wait(ms, alive)),
        2 => broker.clone().prop_map(Event::WantShutdown),
        4 => (broker.clone(), any::<bool>(), prop::bool::weighted(0.2)).prop_map(
            |(broker, is_clean, has_new_disk)| Event::Restart { broker, is_clean, has_new_disk },
        ),
        8 => (0usize..9, any::<u8>()).prop_map(|(at, members)| Event::Isr(at, members)),
        3 => (0usize..9, ids.clone()).prop_map(|(at, ids)| Event::Reassign(at, ids)),
        1 => (0usize..9).prop_map(Event::Cancel),
        2 => (0i8..2).prop_map(Event::Elect),
        3 => (ids, any::<bool>()).prop_map(|(ids, unclean)| Event::Create(ids, unclean)),
        3 => Just(Event::Tick),
        1 => Just(Event::NewController),
        1 => broker.prop_map(Event::Unregister),
    ]
}

/// The cluster and what it promised so far.
struct Story {
    world: World,
    brokers: i32,
    lives: u128,
    topics: usize,
    /// Log directories of brokers that got a new disk.
    disks: BTreeMap<i32, Uuid>,
    /// Who led in which epoch.
    leaders: BTreeMap<(PartitionId, i32), i32>,
    /// The log that was checked.
    checked: Controller,
    checked_to: usize,
}

impl Story {
    fn new(brokers: i32, eligible: i16) -> Self {
        let world = World::cluster_with(brokers, eligible);
        let leaders = BTreeMap::new();
        let checked = Controller::default();
        Self {
            world,
            brokers,
            lives: 1,
            topics: 0,
            disks: BTreeMap::new(),
            leaders,
            checked,
            checked_to: 0,
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Beat(id) => self.beat(id % self.brokers),
            Event::Wait(ms, alive) => {
                self.world.now_ms += ms;
                (0..self.brokers).filter(|id| alive >> id & 1 == 1).for_each(|id| self.beat(id));
            }
            Event::WantShutdown(id) => {
                let id = id % self.brokers;
                if self.world.image().brokers.get(id).is_some() {
                    self.world.want_shutdown(id);
                }
            }
            Event::Restart { broker, is_clean, has_new_disk } => {
                let id = broker % self.brokers;
                if has_new_disk {
                    self.disks.insert(id, Uuid::from_u128(900_000 + self.lives));
                }
                self.restart(id, is_clean && !has_new_disk);
            }
            Event::Isr(at, members) => self.isr(at, members),
            Event::Reassign(at, ids) => self.reassign(at, Some(ids)),
            Event::Cancel(at) => self.reassign(at, None),
            Event::Elect(election_type) => {
                let request = ElectLeadersRequest { election_type, ..Default::default() };
                let all = ElectLeadersRequest { topic_partitions: None, ..request };
                self.world.run(Command::ElectLeaders(all));
            }
            Event::Create(ids, unclean) => self.create(ids, unclean),
            Event::Tick => drop(self.world.run(Command::Tick)),
            Event::NewController => {
                let seed = [self.lives as u64, 2, 3, 4];
                self.world.soft = Soft::new(7, Arc::new(BrokerConfig::defaults()), seed);
            }
            Event::Unregister(id) => {
                let request =
                    UnregisterBrokerRequest { broker_id: id % self.brokers, ..Default::default() };
                self.world.run(Command::UnregisterBroker(request));
            }
        }
        self.check_records();
    }

    fn beat(&mut self, id: i32) {
        if self.world.image().brokers.get(id).is_some() {
            self.world.beat(id);
        }
    }

    fn restart(&mut self, broker_id: i32, is_clean: bool) {
        self.lives += 1;
        let mut request = registration(broker_id);
        request.incarnation_id = Uuid::from_u128(100_000 + self.lives);
        request.log_dirs = self.disks.get(&broker_id).map_or(request.log_dirs, |disk| vec![*disk]);
        request.previous_broker_epoch = if is_clean { self.world.epoch_of(broker_id) } else { -1 };
        self.world.run(Command::RegisterBroker { request, version: 4, unfence: false });
    }

    fn pick(&self, at: usize) -> Option<(String, i32)> {
        let partitions: Vec<(String, i32)> = self
            .world
            .image()
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.keys().map(|i| (topic.name.to_string(), *i)))
            .collect();
        (!partitions.is_empty()).then(|| partitions[at % partitions.len()].clone())
    }

    fn isr(&mut self, at: usize, members: u8) {
        let Some((topic, index)) = self.pick(at) else { return };
        let partition = self.world.partition(&topic, index);
        let member = |id: &&i32| members >> **id & 1 == 1 || **id == partition.leader;
        let isr: Vec<i32> = partition.replicas.iter().filter(member).copied().collect();
        let mut request = self.world.alter_request(&topic, index, &isr);
        request.topics[0].partitions[0].leader_recovery_state = 0;
        self.world.alter(request, 3);
    }

    fn reassign(&mut self, at: usize, replicas: Option<Vec<i32>>) {
        let Some((topic, partition_index)) = self.pick(at) else { return };
        let partition = ReassignablePartition { partition_index, replicas, ..Default::default() };
        let topic = ReassignableTopic {
            name: Str::from(topic),
            partitions: vec![partition],
            ..Default::default()
        };
        let request =
            AlterPartitionReassignmentsRequest { topics: vec![topic], ..Default::default() };
        self.world.run(Command::AlterPartitionReassignments(request));
    }

    fn create(&mut self, ids: Vec<i32>, unclean: bool) {
        let mut replicas: Vec<i32> = ids.into_iter().map(|id| id % self.brokers).collect();
        let mut seen = BTreeSet::new();
        replicas.retain(|id| seen.insert(*id));
        if !replicas.iter().any(|id| self.world.image().brokers.is_active(*id))
            || !replicas.iter().all(|id| self.world.image().brokers.get(*id).is_some())
            || self.topics >= 9
        {
            return;
        }
        self.topics += 1;
        let name = format!("t{}", self.topics);
        let value = if unclean { "true" } else { "false" };
        let configs = [("unclean.leader.election.enable", value), ("min.insync.replicas", "2")];
        self.world.topic_with(&name, &[&replicas], &configs);
    }

    /// Replays what is new in the log next to the machine, and looks at every step.
    fn check_records(&mut self) {
        while self.checked_to < self.world.log.len() {
            let record = self.world.log[self.checked_to].clone();
            let before = self.checked.image().clone();
            self.checked.replay(&record).unwrap();
            self.checked_to += 1;
            if let MetadataRecord::PartitionChange(change) = &record {
                let id = PartitionId { topic_id: change.topic_id, partition: change.partition_id };
                let find = |image: &MetadataImage| {
                    (**image.topics.partition(id.topic_id, id.partition).unwrap()).clone()
                };
                check_change(&before, &find(&before), &find(self.checked.image()));
            }
            let image = self.checked.image().clone();
            for topic in image.topics.iter() {
                for (index, partition) in topic.partitions.iter() {
                    check_partition(&image, partition);
                    let id = PartitionId { topic_id: topic.id, partition: *index };
                    self.check_one_leader_an_epoch(id, partition);
                }
            }
        }
        assert_eq!(self.checked, self.world.controller, "the log is the state");
    }

    fn check_one_leader_an_epoch(&mut self, id: PartitionId, partition: &Partition) {
        if partition.has_leader() {
            let leader =
                self.leaders.entry((id, partition.leader_epoch)).or_insert(partition.leader);
            assert_eq!(*leader, partition.leader, "{id:?} epoch {}", partition.leader_epoch);
        }
    }
}

fn check_partition(image: &MetadataImage, partition: &Partition) {
    let has_eligible = image.features.has_eligible_leader_replicas();
    let isr = &partition.isr;
    assert!(isr.iter().all(|id| partition.replicas.contains(id)), "{partition:?}");
    assert!(!partition.has_leader() || isr.contains(&partition.leader), "{partition:?}");
    assert!(has_eligible || !isr.is_empty(), "{partition:?}");
    let eligible = &partition.eligible_leader_replicas;
    assert!(eligible.iter().all(|id| !isr.contains(id)), "{partition:?}");
    assert!(eligible.iter().all(|id| partition.replicas.contains(id)), "{partition:?}");
    assert!(has_eligible || eligible.is_empty());
    assert_eq!(partition.directories.len(), partition.replicas.len());
    assert!(partition.leader_epoch <= partition.partition_epoch);
    let arriving = partition.adding_replicas.iter().chain(&partition.removing_replicas);
    assert!(arriving.clone().all(|id| partition.replicas.contains(id)), "{partition:?}");
    let unique: BTreeSet<&i32> = partition.replicas.iter().collect();
    assert_eq!(unique.len(), partition.replicas.len(), "{partition:?}");
}

fn check_change(image: &MetadataImage, before: &Partition, after: &Partition) {
    assert_eq!(after.partition_epoch, before.partition_epoch + 1);
    let begins = after.leader_epoch - before.leader_epoch;
    assert!(begins == 0 || begins == 1);
    assert!(before.leader == after.leader || begins == 1, "a new leader is a new epoch");
    if after.leader == before.leader || after.leader == NO_LEADER {
        return;
    }
    assert!(image.brokers.get(after.leader).is_some(), "{after:?}");
    let is_clean = before.isr.contains(&after.leader)
        || (before.isr.is_empty() && before.eligible_leader_replicas.contains(&after.leader));
    // By an ISR that the same change made, a reassignment may end a leadership.
    let by_isr = after.isr.contains(&after.leader) && before.has_leader();
    assert!(
        is_clean || by_isr || after.leader_recovery_state == RECOVERING,
        "elected without its records: {before:?} {after:?}"
    );
}

/// Nothing is due any more: nobody who is away leads or is in sync beside others, and nothing is
/// without a leader that could have one.
fn check_at_rest(image: &MetadataImage) {
    let has_eligible = image.features.has_eligible_leader_replicas();
    for topic in image.topics.iter() {
        for partition in topic.partitions.values() {
            let is_away = |id: &i32| !image.brokers.is_active(*id);
            assert!(!is_away(&partition.leader) || !partition.has_leader(), "{partition:?}");
            let away = partition.isr.iter().filter(|id| is_away(id)).count();
            assert!(away == 0 || (!has_eligible && partition.isr.len() == 1), "{partition:?}");
            if !partition.has_leader() {
                let may_lead = match partition.isr.is_empty() {
                    true => &partition.eligible_leader_replicas,
                    false => &partition.isr,
                };
                let has_it = |id: &i32| {
                    let broker = image.brokers.get(*id);
                    broker
                        .zip(partition.directory(*id))
                        .is_some_and(|(b, dir)| b.has_online_dir(dir))
                };
                assert!(may_lead.iter().all(|id| is_away(id) || !has_it(id)), "{partition:?}");
            }
        }
    }
}

/// What a snapshot holds adds up to the same image, indexes and all.
fn check_snapshot(image: &MetadataImage) {
    let mut again = MetadataImage::default();
    for record in snapshot::records(image) {
        let bytes = record.encode_at(image.features.metadata_version()).unwrap();
        assert_eq!(MetadataRecord::decode(bytes).unwrap(), record);
        again.apply(&record).unwrap();
    }
    again.next_offset = image.next_offset;
    assert_eq!(&again, image);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_promises_hold(
        brokers in 3i32..6,
        eligible in 0i16..2,
        events in prop::collection::vec(event(), 1..80),
    ) {
        let mut story = Story::new(brokers, eligible);
        story.check_records();
        story.happens(Event::Create(vec![0, 1, 2], false));
        for event in events {
            story.happens(event);
        }
        story.world.settle();
        story.check_records();
        check_at_rest(story.world.image());
        check_snapshot(story.world.image());
        // Everybody comes back: whatever is not lost is led again.
        for id in 0..brokers {
            story.restart(id, true);
            story.restart(id, true);
            story.beat(id);
            story.check_records();
        }
        story.world.settle();
        story.check_records();
        check_at_rest(story.world.image());
    }
}
