//! What every assignor owes, and what each owes besides.

use proptest::prelude::*;

use super::*;

fn topic(index: usize) -> Str {
    Str::from(format!("topic-{index}"))
}

fn members() -> impl Strategy<Value = Vec<Member>> {
    let wants = prop::collection::btree_set(0..4usize, 1..4);
    prop::collection::vec(wants, 1..7).prop_map(|all| {
        let member = |(index, wants): (usize, BTreeSet<usize>)| Member {
            id: Str::from(format!("member-{index}")),
            topics: wants.into_iter().map(topic).collect(),
            generation: -1,
            ..Member::default()
        };
        all.into_iter().enumerate().map(member).collect()
    })
}

fn counts() -> impl Strategy<Value = BTreeMap<Str, i32>> {
    prop::collection::vec(0..9i32, 0..5)
        .prop_map(|counts| counts.into_iter().enumerate().map(|(i, n)| (topic(i), n)).collect())
}

/// Each partition of a wanted topic once, to one who wants it.
fn is_complete(members: &[Member], counts: &BTreeMap<Str, i32>, assignment: &Assignment) -> bool {
    let mut given: Vec<&TopicPartition> = assignment.values().flatten().collect();
    given.sort();
    let all = wanted_topics(members, counts);
    let all: Vec<TopicPartition> = all
        .iter()
        .flat_map(|t| (0..counts[t]).map(|index| TopicPartition::new(t.clone(), index)))
        .collect();
    let wanted = members
        .iter()
        .all(|member| assignment[&member.id].iter().all(|p| member.topics.contains(&p.topic)));
    given.len() == all.len() && given.iter().zip(&all).all(|(one, other)| *one == other) && wanted
}

/// Rounds until nothing moves: each member owns what it was given in the round before.
fn settle(mut members: Vec<Member>, counts: &BTreeMap<Str, i32>) -> (Vec<Member>, Assignment) {
    for generation in 0..4 {
        let assignment = Assignor::CooperativeSticky.assign(&members, counts);
        for member in &mut members {
            member.owned = assignment[&member.id].clone();
            member.generation = generation;
        }
        if is_complete(&members, counts, &assignment) {
            return (members, assignment);
        }
    }
    panic!("no complete assignment after four rounds");
}

proptest! {
    #[test]
    fn each_partition_has_one_reader(members in members(), counts in counts()) {
        for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::CooperativeSticky] {
            let assignment = assignor.assign(&members, &counts);
            prop_assert!(is_complete(&members, &counts, &assignment), "{:?}", assignor);
        }
    }

    #[test]
    fn sticky_balances_and_then_stays(members in members(), counts in counts()) {
        let (members, first) = settle(members, &counts);
        let again = Assignor::CooperativeSticky.assign(&members, &counts);
        prop_assert_eq!(&first, &again);
        for one in &members {
            for other in &members {
                // Nobody has two more than another who would take one of them.
                let could = first[&one.id].iter().any(|p| other.topics.contains(&p.topic));
                prop_assert!(!could || first[&one.id].len() <= first[&other.id].len() + 1);
            }
        }
    }

    #[test]
    fn nothing_is_read_by_two_while_it_moves(members in members(), counts in counts(), gone in 0..7usize) {
        let (mut members, _) = settle(members, &counts);
        prop_assume!(members.len() > 1);
        members.remove(gone % members.len());
        members.push(Member { id: Str::from("new"), topics: vec![topic(0)], generation: -1, ..Member::default() });
        let assignment = Assignor::CooperativeSticky.assign(&members, &counts);
        for member in &members {
            for partition in &assignment[&member.id] {
                let owner = members.iter().find(|m| m.owned.contains(partition));
                prop_assert!(owner.is_none_or(|owner| owner.id == member.id));
            }
        }
        settle(members, &counts);
    }

    #[test]
    fn subscriptions_survive_the_wire(members in members()) {
        for member in members {
            let bytes = protocol::encode_subscription(&member);
            let read = protocol::decode_subscription(member.id.clone(), None, bytes).unwrap();
            prop_assert_eq!(read, member);
        }
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = protocol::decode_assignment(bytes.clone().into());
        let _ = protocol::decode_subscription(Str::default(), None, bytes.into());
    }
}

#[test]
fn range_gives_the_first_one_more() {
    let member = |id: &'static str| Member {
        id: Str::from(id),
        topics: vec![topic(0), topic(1)],
        ..Member::default()
    };
    let counts = BTreeMap::from([(topic(0), 3), (topic(1), 3)]);
    let assignment = Assignor::Range.assign(&[member("b"), member("a")], &counts);
    let partitions = |id: &'static str| -> Vec<i32> {
        assignment[&Str::from(id)].iter().map(|p| p.partition).collect()
    };
    assert_eq!((partitions("a"), partitions("b")), (vec![0, 1, 0, 1], vec![2, 2]));
}
