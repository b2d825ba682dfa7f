use super::*;

/// Goal: files that Apache Kafka 4.4 wrote are read.
#[test]
fn files_of_kafka_are_read() {
    let old = r#"{"clusterId":"","leaderId":3000,"leaderEpoch":7,"votedId":-1,"appliedOffset":0,
        "currentVoters":[{"voterId":3000}],"data_version":0}"#;
    let state = parse(old.as_bytes()).unwrap();
    assert_eq!(state, ElectionState { epoch: 7, leader: Some(NodeId(3000)), voted: None });
    let new = r#"{"leaderId":-1,"leaderEpoch":2,"votedId":1,
        "votedDirectoryId":"JEXY6aqzQY-32P5TStzaFg","data_version":1}"#;
    let voted = parse(new.as_bytes()).unwrap().voted.unwrap();
    assert_eq!(voted.id, NodeId(1));
    assert_eq!(voted.directory_id.unwrap().to_string(), "JEXY6aqzQY-32P5TStzaFg");
}

#[test]
fn what_is_written_is_read_back() {
    let voted = |directory| Some(ReplicaKey { id: NodeId(2), directory_id: directory });
    let cases = [
        ElectionState::default(),
        ElectionState { epoch: 5, leader: Some(NodeId(1)), voted: None },
        ElectionState { epoch: 6, leader: None, voted: voted(None) },
    ];
    for state in cases {
        let voters = [NodeId(1), NodeId(2)];
        assert_eq!(parse(format(&state, Some(&voters)).as_bytes()), Ok(state.clone()));
        assert_eq!(parse(format(&state, None).as_bytes()), Ok(state));
    }
    let state = ElectionState { epoch: 6, leader: None, voted: voted(Some(Uuid::ONE)) };
    assert_eq!(parse(format(&state, None).as_bytes()), Ok(state));
}

#[test]
fn what_cannot_be_is_refused() {
    for text in ["", "{}", "[]", r#"{"leaderEpoch":1,"data_version":2}"#, r#"{"leaderEpoch":"1"}"#]
    {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
}
