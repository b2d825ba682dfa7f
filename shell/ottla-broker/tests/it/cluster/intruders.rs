//! Who does not belong to a cluster is refused, and told why.

use ottla_protocol::messages::{BrokerHeartbeatRequest, BrokerRegistrationRequest};

use super::*;

const ONE_AND_TWO: [&str; 3] = ["controller", "broker", "broker"];

#[test]
fn a_second_broker_of_one_id_is_refused() {
    Cluster::new(31, &ONE_AND_TWO).run(async |cluster| {
        let (controller, broker) = (cluster.begin(0, &[]), cluster.begin(1, &[]));
        let _controller = controller.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
        let broker = broker.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
        let second = [("node.id", "2"), ("initial.broker.registration.timeout.ms", "20000")];
        let refused = cluster.try_start(2, &second).await.err().unwrap();
        let text = refused.to_string();
        assert!(text.contains("node.id 2"), "{text}");
        assert!(text.contains("DUPLICATE_BROKER_REGISTRATION"), "{text}");
        cluster.until_live(&broker, &[2]).await;
    });
}

/// Goal: the session of a process that is gone may outlast twice its own length, where the controller was new or slow
/// meanwhile: a start does not take it for another broker that lives.
#[test]
fn a_session_that_lasts_long_does_not_end_a_start() {
    Cluster::new(36, &ONE_AND_TWO).run(async |cluster| {
        let (controller, broker) = (cluster.begin(0, &[]), cluster.begin(1, &[]));
        let _controller = controller.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
        let broker = broker.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
        let second = cluster.begin(2, &[("node.id", "2")]);
        cluster.client.sleep(Duration::from_secs(30)).await;
        broker.broker.shutdown().await;
        let second = second.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
        cluster.until_live(&second, &[2]).await;
    });
}

#[test]
fn a_broker_of_another_cluster_is_refused() {
    Cluster::new(32, &ONE_AND_TWO).run(async |cluster| {
        let (controller, broker) = (cluster.begin(0, &[]), cluster.begin(1, &[]));
        let _controller = controller.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
        let broker = broker.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
        let other = [("ottla.cluster.id", "MkU3OEVBNTcwNTJENDM2Qg")];
        let refused = cluster.try_start(2, &other).await.err().unwrap();
        let text = refused.to_string();
        assert!(text.contains("MkU3OEVBNTcwNTJENDM2Qg"), "{text}");
        assert!(text.contains(CLUSTER_ID), "{text}");
        cluster.until_live(&broker, &[2]).await;
    });
}

/// Goal: a client cannot speak as a broker: not through a client's listener, and not with an epoch
/// that no broker was given.
#[test]
fn a_client_is_no_broker() {
    Cluster::combined(33).run(async |cluster| {
        let nodes = cluster.start().await;
        let mut client = cluster.connect(&nodes[0]).await;
        client.post(4, &BrokerRegistrationRequest::default()).await;
        assert!(client.is_closed().await, "clients are not served what brokers ask of controllers");
        let active = cluster.active_controller(0).await;
        let address = cluster.controller_address(active);
        let mut client = Client::open(&cluster.client, address).await;
        let request =
            BrokerHeartbeatRequest { broker_id: 1, broker_epoch: 999_999, ..Default::default() };
        let answer = client.call(1, &request).await;
        assert_eq!(answer.error_code, ErrorCode::StaleBrokerEpoch.code());
        cluster.until_live(&nodes[0], &[1, 2, 3]).await;
    });
}

/// Goal: a request for the controller at a controller that does not lead is not decided there.
#[test]
fn a_controller_that_does_not_lead_decides_nothing() {
    Cluster::combined(34).run(async |cluster| {
        let _nodes = cluster.start().await;
        let active = cluster.active_controller(0).await;
        let address = cluster.controller_address((active + 1) % 3);
        let mut client = Client::open(&cluster.client, address).await;
        let answer = create(&mut client, "nowhere", 1, 1).await;
        assert_eq!(answer.topics[0].error_code, ErrorCode::NotController.code());
    });
}
