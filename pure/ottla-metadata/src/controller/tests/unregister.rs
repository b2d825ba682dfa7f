//! UnregisterBroker, RegisterController, UnregisterController.

use super::*;

#[test]
fn a_broker_is_forgotten() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    let unregister = |broker_id| {
        Command::UnregisterBroker(UnregisterBrokerRequest { broker_id, ..Default::default() })
    };
    assert_eq!(world.run(unregister(0)), Reply::Done);
    assert!(world.image().brokers.get(0).is_none());
    assert_eq!(world.led("t"), (1, vec![1, 2], 1));
    let Reply::Refused(refusal) = world.run(unregister(0)) else { panic!() };
    assert_eq!(refusal.code, ErrorCode::BrokerIdNotRegistered);
    assert_eq!(refusal.message, text("Broker ID 0 is not currently registered"));
    // Whoever comes under that number is new.
    world.join(0, 1);
    assert_eq!(world.led("t"), (1, vec![1, 2], 1));
}

#[test]
fn controllers_come_and_go() {
    let mut world = World::cluster(1);
    let request = ControllerRegistrationRequest {
        controller_id: 2,
        incarnation_id: Uuid::ONE,
        ..Default::default()
    };
    assert_eq!(world.run(Command::RegisterController(request)), Reply::Done);
    assert_eq!(world.image().controllers.get(2).unwrap().incarnation_id, Uuid::ONE);
    let unregister = |controller_id| {
        let request = UnregisterControllerRequest { controller_id, ..Default::default() };
        Command::UnregisterController(request)
    };
    let code = |reply| match reply {
        Reply::Refused(Refusal { code, .. }) => code,
        Reply::Done => ErrorCode::None,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(world.run(unregister(0))), ErrorCode::InvalidRequest, "itself");
    assert_eq!(code(world.run(unregister(2))), ErrorCode::None);
    assert!(world.image().controllers.get(2).is_none());
    assert_eq!(code(world.run(unregister(2))), ErrorCode::ControllerIdNotRegistered);
    world.replay(&super::cluster::feature_level("metadata.version", 30));
    assert_eq!(code(world.run(unregister(2))), ErrorCode::UnsupportedVersion);
}
