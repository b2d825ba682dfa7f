//! ElectLeaders: preferred and unclean, named and everywhere (KIP-460).

use ottla_protocol::messages::elect_leaders_request::TopicPartitions;

use super::*;

fn elect(
    world: &mut World,
    election_type: i8,
    named: Option<&[(&str, &[i32])]>,
) -> Vec<(String, i32, ErrorCode, Option<String>)> {
    let topic_partitions = named.map(|named| {
        let topic = |(topic, partitions): &(&str, &[i32])| TopicPartitions {
            topic: Str::copy_from(topic),
            partitions: partitions.to_vec(),
            ..Default::default()
        };
        named.iter().map(topic).collect()
    });
    let request = ElectLeadersRequest { election_type, topic_partitions, ..Default::default() };
    let Reply::ElectLeaders(response) = world.run(Command::ElectLeaders(request)) else { panic!() };
    assert_eq!(response.error_code, 0);
    let mut results = Vec::new();
    for topic in response.replica_election_results {
        results.extend(topic.partition_result.into_iter().map(|result| {
            let code = ErrorCode::from_code(result.error_code).unwrap();
            let message = result.error_message.map(|message| message.to_string());
            (topic.topic.to_string(), result.partition_id, code, message)
        }));
    }
    results
}

#[test]
fn the_preferred_leader_leads_again_when_it_is_asked_for() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2], &[1, 2, 0]]);
    world.lose(&[0]);
    world.join(0, 1);
    let away = elect(&mut world, 0, Some(&[("t", &[0])]));
    assert_eq!(away[0].2, ErrorCode::PreferredLeaderNotAvailable);
    assert_eq!(away[0].3.as_deref(), Some("The preferred leader was not available."));
    assert_eq!(world.alter_isr("t", &[1, 2, 0]), ErrorCode::None);
    let results = elect(&mut world, 0, Some(&[("t", &[0, 1, 9]), ("no", &[0])]));
    let codes: Vec<ErrorCode> = results.iter().map(|result| result.2).collect();
    assert_eq!(
        codes,
        [
            ErrorCode::None,
            ErrorCode::ElectionNotNeeded,
            ErrorCode::UnknownTopicOrPartition,
            ErrorCode::UnknownTopicOrPartition
        ]
    );
    assert_eq!(results[2].3.as_deref(), Some("No such partition as t-9"));
    assert_eq!(results[3].3.as_deref(), Some("No such topic as no"));
    assert_eq!(world.led("t"), (0, vec![1, 2, 0], 2));
}

#[test]
fn everywhere_answers_only_what_needed_it() {
    let mut world = World::cluster(2);
    world.topic_on("a", &[&[0, 1]]);
    world.topic_on("b", &[&[1, 0]]);
    world.lose(&[0]);
    world.join(0, 1);
    world.alter_isr("a", &[1, 0]);
    let results = elect(&mut world, 0, None);
    assert_eq!(results, [("a".to_owned(), 0, ErrorCode::None, None)]);
    assert_eq!(world.led("a").0, 0);
}

#[test]
fn an_unclean_election_takes_whoever_is_up() {
    let mut world = World::cluster(2);
    world.topic_on("t", &[&[0, 1]]);
    world.alter_isr("t", &[0]);
    let none = elect(&mut world, 1, Some(&[("t", &[0])]));
    assert_eq!(none[0].2, ErrorCode::ElectionNotNeeded);
    world.lose(&[0]);
    assert_eq!(world.led("t"), (-1, vec![0], 1));
    assert_eq!(elect(&mut world, 1, Some(&[("t", &[0])]))[0].2, ErrorCode::None);
    let partition = world.partition("t", 0);
    assert_eq!((partition.leader, partition.isr.to_vec()), (1, vec![1]));
    assert_eq!(partition.leader_recovery_state, 1);
    // The leader says when it has recovered, and only then may others join (KIP-704).
    world.join(0, 1);
    let request = world.alter_request("t", 0, &[1, 0]);
    assert_eq!(world.alter(request, 3), ErrorCode::InvalidRequest);
    let mut request = world.alter_request("t", 0, &[1, 0]);
    request.topics[0].partitions[0].leader_recovery_state = 0;
    assert_eq!(world.alter(request, 3), ErrorCode::None);
    assert_eq!(world.partition("t", 0).leader_recovery_state, 0);
    world.lose(&[0, 1]);
    let none = elect(&mut world, 1, Some(&[("t", &[0])]));
    assert_eq!(none[0].2, ErrorCode::EligibleLeadersNotAvailable);
}

#[test]
fn a_kind_of_election_that_does_not_exist_is_an_invalid_request() {
    let mut world = World::cluster(1);
    let request = ElectLeadersRequest { election_type: 2, ..Default::default() };
    let Reply::Refused(refusal) = world.run(Command::ElectLeaders(request)) else { panic!() };
    assert_eq!(refusal.code, ErrorCode::InvalidRequest);
}
