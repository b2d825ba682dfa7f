//! Whatever the cluster looks like, what is proposed keeps its promises, and is enough: asked again
//! afterwards there is nothing to propose.

use proptest::prelude::*;

use super::*;

/// Racks of the brokers, and the replicas of each partition.
fn view(racks: &[Option<u8>], replicas: &[&[i32]]) -> View {
    let brokers = racks.iter().zip(0..).map(|(rack, id)| {
        let rack = rack.map(|rack| Str::from(format!("r{rack}")));
        (id, BrokerView { rack, takes_replicas: true, is_leaving: false })
    });
    let partitions = replicas.iter().zip(0..).map(|(replicas, index)| {
        let id = PartitionId { topic_id: ottla_protocol::Uuid::ONE, partition: index };
        (id, replicas.to_vec())
    });
    View { brokers: brokers.collect(), partitions: partitions.collect() }
}

fn leave(view: &mut View, id: i32) {
    let broker = view.brokers.get_mut(&id).unwrap();
    (broker.is_leaving, broker.takes_replicas) = (true, false);
}

fn apply(view: &mut View, moves: &[Move]) {
    for proposed in moves {
        view.partitions.insert(proposed.partition, proposed.replicas.clone());
    }
}

fn counts(view: &View, of: impl Fn(&[i32]) -> Vec<i32>) -> Vec<usize> {
    let count = |id: &i32| view.partitions.values().filter(|r| of(r).contains(id)).count();
    view.brokers.keys().map(count).collect()
}

fn replicas(view: &View) -> Vec<usize> {
    counts(view, <[i32]>::to_vec)
}

fn leaders(view: &View) -> Vec<usize> {
    counts(view, |replicas| replicas[..1].to_vec())
}

#[test]
fn a_new_broker_gets_its_share() {
    let mut view = view(&[None; 4], &[&[0, 1, 2][..]; 12]);
    assert_eq!((replicas(&view), leaders(&view)), (vec![12, 12, 12, 0], vec![12, 0, 0, 0]));
    let moves = propose(&view, usize::MAX);
    assert_eq!(
        moves.iter().map(|proposed| proposed.copies).sum::<usize>(),
        9,
        "no more than needed"
    );
    apply(&mut view, &moves);
    assert_eq!((replicas(&view), leaders(&view)), (vec![9; 4], vec![3; 4]));
    assert_eq!(propose(&view, usize::MAX), []);
}

#[test]
fn a_broker_that_leaves_is_emptied_and_nothing_else_is_copied() {
    let mut view = view(&[None; 4], &[&[0, 1, 2], &[1, 2, 3], &[2, 3, 0], &[3, 0, 1]]);
    leave(&mut view, 3);
    let moves = propose(&view, usize::MAX);
    assert!(moves.iter().all(|proposed| proposed.copies <= 1));
    apply(&mut view, &moves);
    assert_eq!(replicas(&view), [4, 4, 4, 0]);
    assert_eq!(leaders(&view)[3], 0);
}

#[test]
fn a_broker_nobody_can_stand_in_for_keeps_what_it_has() {
    let mut view = view(&[None; 3], &[&[0, 1, 2]]);
    leave(&mut view, 2);
    assert_eq!(propose(&view, usize::MAX), []);
}

#[test]
fn racks_come_before_numbers() {
    let racks = [Some(0), Some(0), Some(1), Some(1)];
    let mut view = view(&racks, &[&[0, 1], &[2, 3], &[0, 1], &[2, 3]]);
    let moves = propose(&view, usize::MAX);
    apply(&mut view, &moves);
    assert!(view.partitions.values().all(|replicas| view.crowding(replicas) == 0));
    assert_eq!((replicas(&view), leaders(&view)), (vec![2; 4], vec![1; 4]));
}

#[test]
fn leadership_moves_along_a_chain() {
    // 0 leads three, 1 two, 2 one; 0 and 2 share no partition.
    let mut view = view(&[None; 3], &[&[0, 1], &[0, 1], &[0, 1], &[1, 2], &[1, 2], &[2, 1]]);
    let moves = propose(&view, usize::MAX);
    apply(&mut view, &moves);
    assert_eq!(leaders(&view), [2, 2, 2]);
}

#[test]
fn copies_are_limited_and_leaving_brokers_come_first() {
    let mut view = view(&[None; 4], &[&[0, 1][..]; 20]);
    leave(&mut view, 1);
    let mut rounds = 0;
    loop {
        let moves = propose(&view, 3);
        let copies: usize = moves.iter().map(|proposed| proposed.copies).sum();
        assert!(copies <= 3);
        if moves.is_empty() {
            break;
        }
        apply(&mut view, &moves);
        rounds += 1;
        assert!(rounds < 50, "it ends");
    }
    assert_eq!(replicas(&view), [14, 0, 13, 13]);
}

prop_compose! {
    fn any_view()(
        racks in prop::collection::vec(prop::option::of(0u8..3), 1..8),
        partitions in prop::collection::vec((1usize..5, any::<[u8; 4]>()), 0..40),
        leaving in any::<u8>(),
        down in any::<u8>(),
    ) -> View {
        let brokers = racks.len();
        let mut lists: Vec<Vec<i32>> = Vec::new();
        for (factor, picks) in partitions {
            let mut left: Vec<i32> = (0..brokers as i32).collect();
            let picked = picks.iter().take(factor.min(brokers)).map(|pick| {
                left.remove(*pick as usize % left.len())
            });
            lists.push(picked.collect());
        }
        let lists: Vec<&[i32]> = lists.iter().map(Vec::as_slice).collect();
        let mut view = view(&racks, &lists);
        for id in 0..brokers as i32 {
            if leaving >> id & down & 1 == 1 {
                leave(&mut view, id);
            } else if down >> id & 3 == 3 {
                view.brokers.get_mut(&id).unwrap().takes_replicas = false;
            }
        }
        view
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_promises_hold(mut view in any_view()) {
        let before = view.clone();
        let moves = propose(&view, usize::MAX);
        apply(&mut view, &moves);
        for (id, replicas) in &view.partitions {
            let was = &before.partitions[id];
            prop_assert_eq!(replicas.len(), was.len(), "the number of replicas is kept");
            let unique: BTreeSet<&i32> = replicas.iter().collect();
            prop_assert_eq!(unique.len(), replicas.len());
            for new in replicas.iter().filter(|id| !was.contains(id)) {
                prop_assert!(view.brokers[new].takes_replicas);
            }
            let has_leaving = was.iter().any(|id| view.is_leaving(*id));
            prop_assert!(has_leaving || view.crowding(replicas) <= view.crowding(was));
            let stays = replicas.iter().any(|id| view.is_leaving(*id));
            let taker = view.takers().any(|id| !replicas.contains(&id));
            prop_assert!(!stays || !taker, "somebody could have taken it");
        }
        prop_assert_eq!(propose(&view, usize::MAX), vec![], "asked again, there is nothing to do");
    }

    /// Without racks and with everybody up nothing stands in the way.
    #[test]
    fn without_racks_nothing_differs_by_more_than_one(mut view in any_view()) {
        for broker in view.brokers.values_mut() {
            *broker = BrokerView { rack: None, takes_replicas: true, is_leaving: false };
        }
        let moves = propose(&view, usize::MAX);
        apply(&mut view, &moves);
        let counts = replicas(&view);
        let spread = |counts: &[usize]| {
            counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0)
        };
        prop_assert!(spread(&counts) <= 1, "{:?}", counts);
    }
}
