use ottla_protocol::Uuid;

use super::*;

fn key(id: i32, directory: u128) -> ReplicaKey {
    ReplicaKey::new(NodeId(id), Uuid::from_u128(directory))
}

fn voter(id: i32, directory: u128) -> Voter {
    Voter { key: key(id, directory), endpoints: Endpoints::new(), kraft_versions: (0, 1) }
}

#[test]
fn a_replica_with_another_disk_is_no_voter() {
    let set = VoterSet::new([voter(1, 11), voter(2, 0)]);
    assert!(set.contains(&key(1, 11)));
    assert!(!set.contains(&key(1, 12)), "its disk was lost");
    assert!(set.contains(&key(2, 12)), "no directory is known of it");
    assert!(!set.contains(&key(3, 0)));
}

#[test]
fn sets_that_differ_by_one_voter_overlap() {
    let three = VoterSet::new([voter(1, 1), voter(2, 2), voter(3, 3)]);
    let four = three.with(voter(4, 4)).unwrap();
    let five = four.with(voter(5, 5)).unwrap();
    let replaced = three.without(&key(3, 3)).unwrap().with(voter(3, 33)).unwrap();
    assert!(three.overlaps(&four) && four.overlaps(&three));
    assert!(!three.overlaps(&five));
    assert!(three.overlaps(&replaced), "one out, one in");
    assert_eq!(three.with(voter(3, 33)), None, "the id is in");
    assert_eq!(VoterSet::new([voter(1, 1)]).without(&key(1, 1)), None, "the last one stays");
}

#[test]
fn a_cut_log_brings_the_set_before_back() {
    let mut history = VoterHistory::new(VoterSet::new([voter(1, 1)]));
    history.add(5, VoterSet::new([voter(1, 1), voter(2, 2)]));
    history.add(9, VoterSet::new([voter(2, 2)]));
    history.truncate(9);
    assert_eq!(history.latest().len(), 2);
    history.truncate(5);
    assert_eq!((history.latest().len(), history.latest_offset()), (1, None));
}
