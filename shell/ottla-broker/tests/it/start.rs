//! Starting and stopping: what does not work is said clearly, what was acknowledged is there again.

use ottla_broker::StartError;
use ottla_env::{Disk, Env};
use ottla_protocol::records::BatchOptions;

use crate::fetch::fetch_all;
use crate::world::{Place, batch};

async fn port_in_use<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    let listeners = format!("PLAINTEXT://{}", node.address);
    let other = Place { folder: place.folder.join("other"), ..place.clone() };
    let refused = other.try_start(&[("listeners", &listeners)]).await.err().unwrap();
    assert!(matches!(&refused, StartError::Listen { .. }), "{refused}");
    assert!(refused.to_string().contains(&node.address.to_string()), "{refused}");
    node.broker.shutdown().await;
}

#[test]
fn a_port_in_use_is_named() {
    everywhere!(port_in_use);
}

async fn directory_in_use<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    let refused = place.try_start(&[]).await.err().unwrap();
    assert!(matches!(&refused, StartError::DataDir(_)), "{refused}");
    assert!(refused.to_string().contains("in use"), "{refused}");
    node.broker.shutdown().await;
    place.start(&[]).await.broker.shutdown().await;
}

#[test]
fn a_data_directory_in_use_is_named() {
    everywhere!(directory_in_use);
}

async fn foreign_directory<E: Env>(place: Place<E>) {
    place.start(&[]).await.broker.shutdown().await;
    let refused = place.try_start(&[("node.id", "7")]).await.err().unwrap();
    assert!(matches!(&refused, StartError::DataDir(_)), "{refused}");
    let properties = place.folder.join("meta.properties");
    let newer = b"version=9\nnode.id=1\ncluster.id=4L6g3nShT-eMCtK--X86sw\n";
    place.env.disk().replace_file(&properties, newer).unwrap();
    let refused = place.try_start(&[]).await.err().unwrap();
    assert!(refused.to_string().contains("version"), "{refused}");
}

#[test]
fn a_data_directory_of_another_node_or_format_is_refused() {
    everywhere!(foreign_directory);
}

async fn bad_configuration<E: Env>(place: Place<E>) {
    let settings = [("num.partitions", "many"), ("log.retention.bytes", "x")];
    let refused = place.try_start(&settings).await.err().unwrap();
    let text = refused.to_string();
    assert!(text.contains("num.partitions") && text.contains("log.retention.bytes"), "{text}");
}

#[test]
fn everything_wrong_with_the_configuration_is_said_at_once() {
    everywhere!(bad_configuration);
}

async fn restart<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("kept", &[]).await;
    let records = batch(BatchOptions::default(), &["a", "b", "c"]);
    let answer = node.connect().await.produce(9, "kept", records).await;
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
    node.broker.shutdown().await;
    let node = place.start(&[]).await;
    assert_eq!(fetch_all(&node, "kept").await, ["a", "b", "c"]);
    let records = batch(BatchOptions::default(), &["d"]);
    assert_eq!(node.connect().await.produce(9, "kept", records).await.base_offset, 3);
    node.broker.shutdown().await;
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    everywhere!(restart);
}
