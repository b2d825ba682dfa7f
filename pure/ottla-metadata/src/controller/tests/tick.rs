//! What time brings besides the end of sessions: preferred and unclean elections.

use super::*;

#[test]
fn preferred_leaders_lead_again_after_the_interval() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    world.lose(&[0]);
    world.join(0, 1);
    world.alter_isr("t", &[1, 2, 0]);
    assert_eq!(world.led("t").0, 1);
    world.wait(250_000, &[0, 1, 2]);
    assert_eq!(world.led("t").0, 1);
    world.wait(51_000, &[0, 1, 2]);
    assert_eq!(world.led("t").0, 0);
}

#[test]
fn elections_come_in_steps() {
    let mut world = World::cluster(2);
    let replicas: Vec<&[i32]> = vec![&[0, 1]; 2_500];
    world.topic_on("t", &replicas);
    world.lose(&[0]);
    world.join(0, 1);
    for index in 0..2_500 {
        let request = world.alter_request("t", index, &[1, 0]);
        assert_eq!(world.alter(request, 3), ErrorCode::None);
    }
    world.wait(275_000, &[0, 1]);
    assert_eq!(world.image().topics.led_count(0), 0);
    let mut led = Vec::new();
    world.now_ms += 6_000;
    world.beat(0);
    world.beat(1);
    while world.image().topics.led_count(0) < 2_500 {
        world.run(Command::Tick);
        led.push(world.image().topics.led_count(0));
    }
    assert_eq!(led, [1_000, 2_000, 2_500]);
}

/// Only where the topic says so, and only at the interval.
#[test]
fn topics_that_ask_for_it_are_led_uncleanly() {
    let unclean = [("unclean.leader.election.enable", "true")];
    let mut world = World::cluster(2);
    world.topic_on("safe", &[&[0, 1]]);
    world.topic_on("t", &[&[0, 1]]);
    for topic in ["safe", "t"] {
        world.alter_isr(topic, &[0]);
    }
    world.lose(&[0]);
    assert_eq!((world.led("safe").0, world.led("t").0), (-1, -1));
    let record = ottla_protocol::messages::ConfigRecord {
        resource_type: 2,
        resource_name: "t".into(),
        name: unclean[0].0.into(),
        value: Some(unclean[0].1.into()),
        ..Default::default()
    };
    world.replay(&record.into());
    world.wait(301_000, &[1]);
    assert_eq!(world.led("t"), (1, vec![1], 2));
    assert_eq!(world.partition("t", 0).leader_recovery_state, 1);
    assert_eq!(world.led("safe"), (-1, vec![0], 1));
}

#[test]
fn an_unclean_topic_never_waits_for_the_interval_when_its_last_broker_goes() {
    let unclean = [("unclean.leader.election.enable", "true")];
    let mut world = World::cluster(2);
    world.topic_with("t", &[&[0, 1]], &unclean);
    world.alter_isr("t", &[0]);
    world.lose(&[0]);
    assert_eq!(world.led("t"), (1, vec![1], 1));
}
