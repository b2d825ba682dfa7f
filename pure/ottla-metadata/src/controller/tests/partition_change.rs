//! The table of what a change does to a partition: Kafka's `PartitionChangeBuilderTest` as rows.

use super::*;
use crate::controller::leaders::{Leaders, Rules};
use crate::controller::partition_change::{Election, PartitionChange};
use crate::image::{NO_LEADER, NO_LEADER_CHANGE, RECOVERED, RECOVERING};

/// A cluster of brokers 0 to 5, of whom these are up.
fn cluster(up: &[i32]) -> MetadataImage {
    let mut world = World::cluster(6);
    let away: Vec<i32> = (0..6).filter(|id| !up.contains(id)).collect();
    world.lose(&away);
    world.image().clone()
}

fn rules(eligible_leader_replicas: bool, min_isr: usize) -> Rules {
    Rules {
        min_isr,
        unclean_elections: false,
        eligible_leader_replicas,
        directories: true,
        epoch_on_isr_shrink: false,
    }
}

/// Replicas 1, 2, 3 with leader 1.
fn partition(isr: &[i32], eligible: &[i32], last_known: &[i32]) -> Partition {
    Partition {
        replicas: vec![1, 2, 3].into(),
        directories: vec![501, 502, 503].into_iter().map(Uuid::from_u128).collect(),
        isr: isr.into(),
        removing_replicas: Vec::new().into(),
        adding_replicas: Vec::new().into(),
        eligible_leader_replicas: eligible.into(),
        last_known_elr: last_known.into(),
        leader: if isr.is_empty() { NO_LEADER } else { 1 },
        leader_recovery_state: RECOVERED,
        leader_epoch: 5,
        partition_epoch: 9,
    }
}

const ID: PartitionId = PartitionId { topic_id: Uuid::ONE, partition: 0 };

/// Leader, ISR and recovery state of the record; nothing where there is none.
type Outcome = Option<(i32, Option<Vec<i32>>, i8)>;

fn outcome(change: PartitionChange<'_>, image: &MetadataImage) -> Outcome {
    let record = change.build(&Leaders::of(image))?;
    assert_eq!((record.topic_id, record.partition_id), (ID.topic_id, ID.partition));
    Some((record.leader, record.isr, record.leader_recovery_state))
}

#[test]
fn elections_without_eligible_replicas() {
    use Election::*;
    // up, isr of before, leader of before, isr wanted, election -> leader, isr, recovery
    type Row = (&'static [i32], &'static [i32], i32, &'static [i32], Election, Outcome);
    let rows: [Row; 13] = [
        (&[1, 2, 3], &[1, 2, 3], 1, &[1, 2, 3], Online, None),
        (&[1, 2, 3], &[1, 2, 3], 2, &[1, 2, 3], Online, None),
        (&[1, 2, 3], &[1, 2, 3], 2, &[1, 2, 3], Preferred, Some((1, None, -1))),
        (&[2, 3], &[1, 2, 3], 3, &[1, 2, 3], Preferred, None),
        (&[2, 3], &[1, 2, 3], 1, &[2, 3], Online, Some((2, Some(vec![2, 3]), -1))),
        (&[3], &[1, 2, 3], 1, &[2, 3], Online, Some((3, Some(vec![2, 3]), -1))),
        // Nobody of the ISR is up: no leader; the last of it stays.
        (&[4], &[1], 1, &[], Online, Some((NO_LEADER, None, -1))),
        (&[2, 3], &[1], 1, &[], Online, Some((NO_LEADER, None, -1))),
        (&[2, 3], &[1], 1, &[], Unclean, Some((2, Some(vec![2]), RECOVERING))),
        (&[3], &[1], 1, &[1], Unclean, Some((3, Some(vec![3]), RECOVERING))),
        (&[4, 5], &[1], 1, &[1], Unclean, Some((NO_LEADER, None, -1))),
        // Unclean is the last resort, not the first.
        (&[2, 3], &[1, 3], 1, &[3], Unclean, Some((3, Some(vec![3]), -1))),
        // A smaller ISR alone is no election.
        (
            &[1, 2, 3],
            &[1, 2, 3],
            1,
            &[1, 2],
            Online,
            Some((NO_LEADER_CHANGE, Some(vec![1, 2]), -1)),
        ),
    ];
    for (row, (up, before, leader, isr, election, expected)) in rows.into_iter().enumerate() {
        let image = cluster(up);
        let mut partition = partition(before, &[], &[]);
        partition.leader = leader;
        let change = PartitionChange::new(&partition, ID, rules(false, 2));
        let found = outcome(change.isr(isr.to_vec()).election(election), &image);
        assert_eq!(found, expected, "row {row}");
    }
}

/// KIP-966: who may lead although it left the ISR, and who is remembered when nobody may.
#[test]
fn eligible_replicas() {
    // isr, elr, last known of before; isr wanted; unclean; up -> leader, isr, elr, last known
    type Row = (
        [&'static [i32]; 3],
        &'static [i32],
        Option<i32>,
        &'static [i32],
        (i32, Option<&'static [i32]>, Option<&'static [i32]>, Option<&'static [i32]>),
    );
    const KEEP: i32 = NO_LEADER_CHANGE;
    let rows: [Row; 9] = [
        // At or above min.insync.replicas nobody is eligible.
        ([&[1, 2, 3], &[], &[]], &[1, 2], None, &[1, 2], (KEEP, Some(&[1, 2]), None, None)),
        // Below it, who leaves is.
        ([&[1, 2, 3], &[], &[]], &[1], None, &[1], (KEEP, Some(&[1]), Some(&[2, 3]), None)),
        ([&[1, 2], &[3], &[]], &[1], None, &[1], (KEEP, Some(&[1]), Some(&[2, 3]), None)),
        // The ISR may be empty; the last leader is remembered.
        ([&[1], &[2, 3], &[]], &[], None, &[], (-1, Some(&[]), Some(&[1, 2, 3]), Some(&[1]))),
        // Somebody eligible is back.
        ([&[], &[2, 3], &[1]], &[], None, &[3], (3, Some(&[3]), Some(&[2]), Some(&[]))),
        // Who may have lost what it had is not eligible.
        ([&[], &[2, 3], &[1]], &[], Some(3), &[3], (KEEP, None, Some(&[2]), None)),
        ([&[1, 2], &[], &[]], &[1], Some(2), &[1], (KEEP, Some(&[1]), None, None)),
        // It comes back to min.insync.replicas.
        ([&[1], &[2, 3], &[]], &[1, 2], None, &[1, 2], (KEEP, Some(&[1, 2]), Some(&[]), None)),
        // Nobody is left but the last known leader: it leads, uncleanly.
        ([&[], &[], &[1]], &[], None, &[1, 2], (1, Some(&[1]), None, Some(&[]))),
    ];
    for (row, (before, isr, unclean, up, (leader, new_isr, eligible, last))) in
        rows.into_iter().enumerate()
    {
        let image = cluster(up);
        let partition = partition(before[0], before[1], before[2]);
        let change = PartitionChange::new(&partition, ID, rules(true, 2))
            .isr(isr.to_vec())
            .unclean_shutdown(unclean);
        let leaders = Leaders::of(&image).without(unclean);
        let record = change.build(&leaders).unwrap();
        assert_eq!(record.leader, leader, "row {row}");
        assert_eq!(record.isr.as_deref(), new_isr, "row {row}");
        assert_eq!(record.eligible_leader_replicas.as_deref(), eligible, "row {row}");
        assert_eq!(record.last_known_elr.as_deref(), last, "row {row}");
        let is_unclean = row == 8;
        assert_eq!(record.leader_recovery_state, if is_unclean { RECOVERING } else { -1 });
    }
}

#[test]
fn a_cluster_without_the_feature_forgets_who_was_eligible() {
    let image = cluster(&[1, 2, 3]);
    let partition = partition(&[1], &[2], &[]);
    let record =
        PartitionChange::new(&partition, ID, rules(false, 2)).build(&Leaders::of(&image)).unwrap();
    assert_eq!(record.eligible_leader_replicas, Some(Vec::new()));
}

#[test]
fn a_replica_whose_directory_is_gone_does_not_lead() {
    let image = cluster(&[1, 2, 3]);
    let mut partition = partition(&[1, 2, 3], &[], &[]);
    partition.directories[0] = Uuid::from_u128(999);
    partition.directories[1] = crate::image::directory::LOST;
    let change = PartitionChange::new(&partition, ID, rules(false, 1));
    assert_eq!(outcome(change, &image), Some((3, None, -1)));
    partition.directories[0] = crate::image::directory::MIGRATING;
    let change = PartitionChange::new(&partition, ID, rules(false, 1));
    assert_eq!(outcome(change, &image), None);
}
