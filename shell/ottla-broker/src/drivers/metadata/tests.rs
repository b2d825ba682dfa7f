use ottla_protocol::messages::{
    AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord, RemoveTopicRecord,
    TopicRecord,
};

use super::*;

fn topic(number: u128) -> MetadataRecord {
    let name = format!("topic-{number}");
    TopicRecord { name: name.into(), topic_id: Uuid::from_u128(number), ..Default::default() }
        .into()
}

fn begin() -> MetadataRecord {
    BeginTransactionRecord::default().into()
}

fn replay(loader: &mut Loader, records: Vec<MetadataRecord>) -> Vec<MetadataRecord> {
    loader.replay(records.into_iter().map(|record| (0, record)).collect()).unwrap()
}

/// Goal: what is carried out is what the image shows, also across batches.
#[test]
fn a_transaction_takes_effect_when_it_ends() {
    let mut loader = Loader::default();
    assert_eq!(replay(&mut loader, vec![topic(1)]), [topic(1)]);
    assert_eq!(replay(&mut loader, vec![begin(), topic(2)]), []);
    assert!(!loader.machine.image().topics.contains("topic-2"));
    let end = EndTransactionRecord::default().into();
    assert_eq!(replay(&mut loader, vec![topic(3), end]), [topic(2), topic(3)]);
    assert!(loader.machine.image().topics.contains("topic-2"));
}

#[test]
fn an_aborted_transaction_has_no_effect() {
    let mut loader = Loader::default();
    let abort = AbortTransactionRecord::default().into();
    assert_eq!(replay(&mut loader, vec![begin(), topic(1), abort, topic(2)]), [topic(2)]);
    assert!(!loader.machine.image().topics.contains("topic-1"));
}

#[test]
fn deleted_topics_are_remembered_until_their_logs_are_gone() {
    let mut loader = Loader::default();
    let removed = Uuid::from_u128(1);
    let remove = || RemoveTopicRecord { topic_id: removed, ..Default::default() }.into();
    replay(&mut loader, vec![topic(1), remove()]);
    assert_eq!(loader.removed_topics, BTreeSet::from([removed]));
}
