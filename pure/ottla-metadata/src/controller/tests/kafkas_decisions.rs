//! Apache Kafka 4.4.0 as the referee: three of its nodes were killed, stopped, started again,
//! reassigned, elected and unregistered; here is the log its controllers wrote (signs of life left
//! out). Every decision in it is decided again, from the image as it was, and the records must be the
//! same.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ottla_protocol::messages::broker_registration_request::Listener;
use ottla_protocol::messages::{PartitionChangeRecord, RegisterBrokerRecord};
use ottla_protocol::records::{batches, records};

use super::*;
use crate::controller::leaders::{Leaders, Rules};
use crate::controller::partition_change::{Election, PartitionChange};
use crate::controller::{fencing, unregister};
use crate::image::{NO_LEADER_CHANGE, NO_RECOVERY_CHANGE};

const LOG: &[u8] = include_bytes!("../../../tests/data/kafka-4.4.0-three-nodes.log");

/// How many decisions of each kind were decided again.
type Counts = BTreeMap<&'static str, usize>;

struct Referee {
    world: World,
    counts: Counts,
    /// Kafka 4.4.0 leaves replicas that a reassignment removed among the eligible ones, and then has
    /// no leader for the partition when the one it has was away: these are not compared.
    apart: BTreeSet<PartitionId>,
}

/// Members of a set have no order; Kafka keeps these lists as one.
fn ordered(mut records: Vec<MetadataRecord>) -> Vec<MetadataRecord> {
    for record in &mut records {
        if let MetadataRecord::PartitionChange(change) = record
            && let Some(eligible) = &mut change.eligible_leader_replicas
        {
            eligible.sort_unstable();
        }
        if let MetadataRecord::RegisterBroker(broker) = record {
            broker.features.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }
    records.sort_by_key(|record| match record {
        MetadataRecord::PartitionChange(change) => (change.topic_id, change.partition_id),
        _ => (Uuid::from_u128(u128::MAX), 0),
    });
    records
}

impl Referee {
    fn replay(&mut self, record: &MetadataRecord) {
        self.world.controller.replay(record).unwrap();
        let image = self.world.controller.image();
        let all = (**image.configs.all_brokers()).clone();
        let config = self.world.soft.config.with_dynamic(Default::default(), all).unwrap();
        self.world.soft.config = Arc::new(config);
    }

    /// Whether the record is of a partition that is not compared; or begins to be.
    fn is_apart(&mut self, record: &MetadataRecord) -> bool {
        let MetadataRecord::PartitionChange(change) = record else { return false };
        let id = PartitionId { topic_id: change.topic_id, partition: change.partition_id };
        if let Some(partition) = self.world.image().topics.partition(id.topic_id, id.partition)
            && let Some(eligible) = &change.eligible_leader_replicas
        {
            let replicas = change.replicas.as_deref().unwrap_or(&partition.replicas);
            if eligible.iter().any(|id| !replicas.contains(id)) {
                self.apart.insert(id);
            }
        }
        self.apart.contains(&id)
    }

    /// What we decide where Kafka wrote the last of these records.
    fn decided(&mut self, last: &MetadataRecord) -> Vec<(&'static str, Vec<MetadataRecord>)> {
        let image = self.world.controller.image().clone();
        let soft = &mut self.world.soft;
        let mut records = Vec::new();
        match last {
            MetadataRecord::BrokerRegistrationChange(change) => {
                let broker = image.brokers.get(change.broker_id).unwrap();
                match (change.fenced, change.in_controlled_shutdown) {
                    (1, _) => fencing::fence(&image, soft, broker, &mut records),
                    (-1, _) => fencing::unfence(&image, soft, broker, &mut records),
                    (0, 1) => fencing::begin_shutdown(&image, soft, broker, &mut records),
                    _ => return Vec::new(),
                }
                vec![("fence, unfence, shutdown", records)]
            }
            MetadataRecord::RegisterBroker(record) => [true, false]
                .map(|is_clean| ("registration", register(&image, soft, record, is_clean)))
                .into(),
            MetadataRecord::UnregisterBroker(record) => {
                vec![("unregistration", unregister::broker(&image, soft, record.broker_id).records)]
            }
            MetadataRecord::PartitionChange(change) => one_partition(&image, soft, change),
            _ => Vec::new(),
        }
    }

    /// Finds the decision that begins with the first of the records, checks it, and answers how many
    /// records it took.
    fn decide(&mut self, log: &[MetadataRecord]) -> usize {
        // A record that says why stands at the front, or behind the changes it brought.
        let changes =
            log.iter().take_while(|r| matches!(r, MetadataRecord::PartitionChange(_))).count();
        let reason = log.get(changes).filter(|_| changes > 0);
        for reason in [log.first(), reason].into_iter().flatten() {
            for (kind, mut ours) in self.decided(reason) {
                ours.retain(|record| !self.is_apart(record));
                let fits = !ours.is_empty() && ours.len() <= log.len();
                if fits && ordered(ours.clone()) == ordered(log[..ours.len()].to_vec()) {
                    *self.counts.entry(kind).or_default() += 1;
                    return ours.len();
                }
            }
        }
        // Kafka tells "no directory is cordoned" from "not said yet", and writes down the difference.
        if let MetadataRecord::BrokerRegistrationChange(change) = &log[0]
            && change.cordoned_log_dirs == Some(Vec::new())
        {
            return 1;
        }
        let is_ours = matches!(
            log[0],
            MetadataRecord::PartitionChange(_)
                | MetadataRecord::RegisterBroker(_)
                | MetadataRecord::BrokerRegistrationChange(_)
                | MetadataRecord::UnregisterBroker(_)
        );
        if is_ours {
            let reason = reason.unwrap_or(&log[0]);
            let ours = self.decided(reason).into_iter().flat_map(|(_, ours)| ours).collect();
            let ours = ordered(ours);
            let theirs = ordered(log[..log.len().min(changes + 1)].to_vec());
            let only_ours: Vec<_> = ours.iter().filter(|r| !theirs.contains(r)).collect();
            let only_theirs: Vec<_> = theirs.iter().filter(|r| !ours.contains(r)).collect();
            panic!("only Kafka decided {only_theirs:#?}\nonly we {only_ours:#?}");
        }
        1
    }
}

fn register(
    image: &MetadataImage,
    soft: &mut Soft,
    record: &RegisterBrokerRecord,
    is_clean: bool,
) -> Vec<MetadataRecord> {
    let listeners = record.end_points.iter().map(|endpoint| Listener {
        name: endpoint.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        security_protocol: endpoint.security_protocol,
        ..Default::default()
    });
    let features = record.features.iter().map(|feature| Feature {
        name: feature.name.clone(),
        min_supported_version: feature.min_supported_version,
        max_supported_version: feature.max_supported_version,
        ..Default::default()
    });
    let former = image.brokers.get(record.broker_id).filter(|_| is_clean);
    let request = BrokerRegistrationRequest {
        broker_id: record.broker_id,
        incarnation_id: record.incarnation_id,
        listeners: listeners.collect(),
        features: features.collect(),
        rack: record.rack.clone(),
        log_dirs: record.log_dirs.clone(),
        previous_broker_epoch: former.map_or(-1, |broker| broker.epoch),
        ..Default::default()
    };
    let asked = crate::controller::registration::Asked { request, version: 4, unfence: false };
    let mut records = crate::controller::registration::register(image, soft, 0, asked).records;
    // Where in a batch of several decisions Kafka counts the epoch from is its own matter.
    if let Some(MetadataRecord::RegisterBroker(ours)) = records.last_mut() {
        ours.broker_epoch = record.broker_epoch;
    }
    records
}

/// A change of one partition alone: by its leader, by a reassignment, or by an election.
fn one_partition(
    image: &MetadataImage,
    soft: &Soft,
    record: &PartitionChangeRecord,
) -> Vec<(&'static str, Vec<MetadataRecord>)> {
    let id = PartitionId { topic_id: record.topic_id, partition: record.partition_id };
    let topic = image.topics.by_id(id.topic_id).unwrap();
    let partition = topic.partitions.get(&id.partition).unwrap();
    let leaders = Leaders::of(image);
    let change = || PartitionChange::new(partition, id, Rules::of(image, soft, topic));
    let mut found = Vec::new();
    let mut add = |kind, change: Option<PartitionChangeRecord>| {
        found.extend(change.map(|change| (kind, vec![change.into()])));
    };
    if record.leader != NO_LEADER_CHANGE {
        add("election", change().election(Election::Preferred).build(&leaders));
        add("election", change().election(Election::Unclean).build(&leaders));
    }
    if let Some(isr) = &record.isr {
        // What the leader asked for: those who leave with a reassignment were in it.
        let mut asked = isr.clone();
        asked.extend(partition.isr.iter().filter(|id| !isr.contains(id)));
        let state = match record.leader_recovery_state {
            NO_RECOVERY_CHANGE => partition.leader_recovery_state,
            state => state,
        };
        for isr in [isr.clone(), asked] {
            let change = change().election_by_rules().isr(isr).leader_recovery_state(state);
            add("isr", change.build(&leaders));
        }
    }
    if let Some(replicas) = &record.replicas {
        let removing = record.removing_replicas.clone().unwrap_or_default();
        let target: Vec<i32> =
            replicas.iter().filter(|id| !removing.contains(id)).copied().collect();
        let wanted =
            crate::controller::reassignment::Reassignment::new(&partition.replicas, &target);
        let change = change().replicas(wanted.replicas, wanted.removing, wanted.adding);
        add("reassignment", change.build(&leaders));
    }
    found
}

#[test]
fn kafkas_controllers_decided_the_same() {
    let mut referee =
        Referee { world: World::empty(), counts: Counts::new(), apart: BTreeSet::new() };
    for batch in batches(&Bytes::from_static(LOG)) {
        let (header, batch) = batch.unwrap();
        referee.world.controller.skip_to(header.base_offset);
        if header.is_control() {
            continue;
        }
        let log: Vec<MetadataRecord> = records(&header, &batch, 1 << 20)
            .unwrap()
            .map(|record| MetadataRecord::decode(record.unwrap().value.unwrap()).unwrap())
            .collect();
        let (apart, log): (Vec<_>, Vec<_>) =
            log.into_iter().partition(|record| referee.is_apart(record));
        apart.iter().for_each(|record| referee.replay(record));
        let mut at = 0;
        while at < log.len() {
            let taken = referee.decide(&log[at..]);
            log[at..at + taken].iter().for_each(|record| referee.replay(record));
            at += taken;
        }
    }
    let expected = [
        ("election", 5),
        ("fence, unfence, shutdown", 14),
        ("isr", 61),
        ("reassignment", 4),
        ("registration", 9),
        ("unregistration", 1),
    ];
    assert_eq!(referee.counts, expected.into());
    assert_eq!(referee.apart.len(), 1);
}
