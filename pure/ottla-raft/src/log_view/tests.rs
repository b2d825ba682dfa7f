use super::*;

fn at(offset: i64, epoch: i32) -> OffsetAndEpoch {
    OffsetAndEpoch::new(offset, epoch)
}

fn log(batches: &[(i32, i64)]) -> LogView {
    let mut log = LogView::default();
    for (epoch, count) in batches {
        log.append(*epoch, *count);
    }
    log
}

#[test]
fn a_follower_of_the_same_history_is_served() {
    let leader = log(&[(1, 3), (4, 2)]);
    for (offset, epoch) in [(0, 0), (1, 1), (3, 1), (4, 4), (5, 4)] {
        assert_eq!(leader.fetchable(at(offset, epoch)), Fetchable::Valid, "{offset} of {epoch}");
    }
}

#[test]
fn a_follower_of_another_history_is_told_where_they_part() {
    let leader = log(&[(1, 3), (4, 2)]);
    assert_eq!(leader.fetchable(at(5, 1)), Fetchable::Diverging(at(3, 1)), "it wrote more in 1");
    assert_eq!(leader.fetchable(at(5, 2)), Fetchable::Diverging(at(3, 1)), "2 never was here");
    assert_eq!(leader.fetchable(at(6, 4)), Fetchable::Diverging(at(5, 4)));
}

#[test]
fn a_follower_cuts_to_what_it_has_of_the_epoch_named() {
    assert_eq!(log(&[(1, 5)]).truncation(at(3, 1)), 3);
    assert_eq!(log(&[(1, 2), (2, 5)]).truncation(at(3, 1)), 2, "it has less of 1");
    assert_eq!(log(&[(2, 5)]).truncation(at(3, 1)), 0, "it has nothing of 1");
    assert_eq!(log(&[(2, 5)]).truncation(at(0, 0)), 0);
}

#[test]
fn what_a_snapshot_stands_for_is_fetched_as_that_snapshot() {
    let mut leader = LogView::default();
    leader.restart_at(at(10, 3));
    leader.append(3, 2);
    leader.append(5, 1);
    assert_eq!(leader.fetchable(at(0, 0)), Fetchable::Snapshot(at(10, 3)));
    assert_eq!(leader.fetchable(at(9, 3)), Fetchable::Snapshot(at(10, 3)));
    assert_eq!(leader.fetchable(at(11, 2)), Fetchable::Snapshot(at(10, 3)));
    assert_eq!(leader.fetchable(at(10, 3)), Fetchable::Valid);
    assert_eq!(leader.fetchable(at(12, 3)), Fetchable::Valid);
    assert_eq!(leader.fetchable(at(13, 4)), Fetchable::Diverging(at(12, 3)));
    assert_eq!(leader.last_epoch(), 5);
}
