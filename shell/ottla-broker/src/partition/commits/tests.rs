use std::sync::Arc;

use ottla_protocol::ErrorCode;
use tokio::sync::Notify;

use super::{Commits, Ticket};

fn ticket(places: usize) -> Arc<Ticket> {
    Ticket::new(places, Arc::new(Notify::new()))
}

/// Goal: a ticket is done when the last of its partitions is. Method: two partitions, out of order.
#[test]
fn a_ticket_waits_for_all_its_partitions() {
    let (one, two) = (Commits::default(), Commits::default());
    one.begin(3);
    two.begin(5);
    let (early, late) = (ticket(2), ticket(1));
    one.wait(3, 9, &late, 0);
    one.wait(3, 4, &early, 0);
    two.wait(5, 7, &early, 1);
    one.passed(4, Ok(()));
    assert_eq!(early.outcome(0), None, "offset 4 is not below 4");
    one.passed(5, Ok(()));
    assert_eq!(early.outcome(0), Some(Ok(())));
    assert!(!early.is_done());
    two.passed(100, Err(ErrorCode::NotEnoughReplicasAfterAppend));
    assert!(early.is_done());
    assert_eq!(early.outcome(1), Some(Err(ErrorCode::NotEnoughReplicasAfterAppend)));
    assert!(!late.is_done());
}

/// Goal: nobody waits beyond an epoch, and nobody begins to.
#[test]
fn the_end_of_an_epoch_sends_everybody_away() {
    let commits = Commits::default();
    commits.begin(3);
    let waiting = ticket(1);
    commits.wait(3, 4, &waiting, 0);
    commits.begin(3);
    assert!(!waiting.is_done(), "the same epoch");
    commits.begin(4);
    assert_eq!(waiting.outcome(0), Some(Err(ErrorCode::NotLeaderOrFollower)));
    let late = ticket(1);
    commits.wait(3, 4, &late, 0);
    assert_eq!(late.outcome(0), Some(Err(ErrorCode::NotLeaderOrFollower)));
    let offline = ticket(1);
    commits.wait(4, 4, &offline, 0);
    commits.end(ErrorCode::KafkaStorageError);
    assert_eq!(offline.outcome(0), Some(Err(ErrorCode::KafkaStorageError)));
}
