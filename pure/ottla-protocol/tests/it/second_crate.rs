//! Goal: the `kafka-protocol` crate, written by others from Kafka's own schemas, agrees on every byte of every
//! message and version that both know.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, Message as _};
use ottla_protocol::json::{Json, Random};
use ottla_protocol::{Message, decode_exact, encode_to_bytes, messages};

/// Random values of each message and version.
const VALUES: u64 = 8;

fn agree<Ours, Theirs>(low: i16, high: i16) -> usize
where
    Ours: Message + Json + PartialEq + std::fmt::Debug,
    Theirs: Decodable + Encodable,
{
    let mut agreed = 0;
    for version in low.max(*Ours::VERSIONS.start())..=high.min(*Ours::VERSIONS.end()) {
        for seed in 0..VALUES {
            let value = Ours::random(&mut Random::new(seed), version);
            let bytes = encode_to_bytes(&value, version).unwrap_or_else(|e| panic!("{e}"));
            let name = format!("{} v{version} seed {seed}", Ours::NAME);
            let mut rest = bytes.clone();
            let read = Theirs::decode(&mut rest, version)
                .unwrap_or_else(|e| panic!("{name}: they do not read it: {e}"));
            assert!(rest.is_empty(), "{name}: they leave {} bytes", rest.len());
            let mut written = BytesMut::new();
            read.encode(&mut written, version)
                .unwrap_or_else(|e| panic!("{name}: they do not write it: {e}"));
            let written: Bytes = written.freeze();
            assert_eq!(written, bytes, "{name}");
            assert_eq!(decode_exact::<Ours>(written, version).as_ref(), Ok(&value), "{name}");
            agreed += 1;
        }
    }
    agreed
}

macro_rules! both_know {
    ($($message:ident)*) => {
        #[test]
        fn both_crates_agree() {
            let mut agreed = 0;
            $({
                let versions = theirs::$message::VERSIONS;
                agreed += agree::<messages::$message, theirs::$message>(versions.min, versions.max);
            })*
            assert!(agreed > 3000, "{agreed} values");
        }
    };
}

// Left out: the records of the metadata log, which that crate announces in versions it then refuses.
both_know! {
    AddOffsetsToTxnRequest AddOffsetsToTxnResponse AddPartitionsToTxnRequest
    AddPartitionsToTxnResponse AddRaftVoterRequest AddRaftVoterResponse
    AllocateProducerIdsRequest AllocateProducerIdsResponse AlterClientQuotasRequest
    AlterClientQuotasResponse AlterConfigsRequest AlterPartitionReassignmentsRequest
    AlterPartitionReassignmentsResponse AlterPartitionRequest AlterPartitionResponse
    AlterReplicaLogDirsRequest AlterReplicaLogDirsResponse AlterShareGroupOffsetsRequest
    AlterShareGroupOffsetsResponse AlterUserScramCredentialsRequest
    AlterUserScramCredentialsResponse ApiVersionsRequest ApiVersionsResponse
    AssignReplicasToDirsRequest AssignReplicasToDirsResponse BeginQuorumEpochRequest
    BeginQuorumEpochResponse BrokerHeartbeatRequest BrokerHeartbeatResponse
    BrokerRegistrationRequest BrokerRegistrationResponse ConsumerGroupDescribeRequest
    ConsumerGroupDescribeResponse ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse
    ControllerRegistrationRequest ControllerRegistrationResponse CreateAclsRequest
    CreateAclsResponse CreateDelegationTokenRequest CreateDelegationTokenResponse
    CreatePartitionsRequest CreatePartitionsResponse CreateTopicsRequest CreateTopicsResponse
    DeleteAclsRequest DeleteAclsResponse DeleteGroupsRequest DeleteGroupsResponse
    DeleteRecordsRequest DeleteRecordsResponse DeleteShareGroupOffsetsRequest
    DeleteShareGroupOffsetsResponse DeleteShareGroupStateRequest DeleteShareGroupStateResponse
    DeleteTopicsRequest DeleteTopicsResponse DescribeAclsRequest DescribeAclsResponse
    DescribeClientQuotasRequest DescribeClientQuotasResponse DescribeClusterRequest
    DescribeClusterResponse DescribeConfigsRequest DescribeConfigsResponse
    DescribeDelegationTokenRequest DescribeDelegationTokenResponse DescribeGroupsRequest
    DescribeGroupsResponse DescribeLogDirsRequest DescribeLogDirsResponse
    DescribeProducersRequest DescribeProducersResponse DescribeQuorumRequest
    DescribeQuorumResponse DescribeShareGroupOffsetsRequest DescribeShareGroupOffsetsResponse
    DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse DescribeTransactionsRequest
    DescribeTransactionsResponse DescribeUserScramCredentialsRequest
    DescribeUserScramCredentialsResponse ElectLeadersRequest ElectLeadersResponse
    EndQuorumEpochRequest EndQuorumEpochResponse EndTxnRequest EndTxnResponse EnvelopeRequest
    EnvelopeResponse ExpireDelegationTokenRequest ExpireDelegationTokenResponse FetchRequest
    FetchResponse FetchSnapshotRequest FetchSnapshotResponse FindCoordinatorRequest
    FindCoordinatorResponse GetTelemetrySubscriptionsRequest GetTelemetrySubscriptionsResponse
    HeartbeatRequest HeartbeatResponse IncrementalAlterConfigsRequest InitProducerIdRequest
    InitProducerIdResponse InitializeShareGroupStateRequest InitializeShareGroupStateResponse
    JoinGroupRequest JoinGroupResponse LeaveGroupRequest LeaveGroupResponse
    ListConfigResourcesRequest ListConfigResourcesResponse ListGroupsRequest ListGroupsResponse
    ListOffsetsRequest ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse
    ListTransactionsRequest ListTransactionsResponse MetadataRequest MetadataResponse
    OffsetCommitRequest OffsetCommitResponse OffsetDeleteRequest OffsetDeleteResponse
    OffsetFetchRequest OffsetFetchResponse OffsetForLeaderEpochRequest
    OffsetForLeaderEpochResponse ProduceRequest PushTelemetryRequest PushTelemetryResponse
    ReadShareGroupStateRequest ReadShareGroupStateResponse ReadShareGroupStateSummaryRequest
    ReadShareGroupStateSummaryResponse RemoveRaftVoterRequest RemoveRaftVoterResponse
    RenewDelegationTokenRequest RenewDelegationTokenResponse SaslAuthenticateRequest
    SaslAuthenticateResponse SaslHandshakeRequest SaslHandshakeResponse ShareAcknowledgeRequest
    ShareAcknowledgeResponse ShareFetchRequest ShareFetchResponse ShareGroupDescribeRequest
    ShareGroupDescribeResponse ShareGroupHeartbeatRequest ShareGroupHeartbeatResponse
    SyncGroupRequest SyncGroupResponse TxnOffsetCommitRequest TxnOffsetCommitResponse
    UnregisterBrokerRequest UnregisterBrokerResponse UpdateFeaturesRequest
    UpdateFeaturesResponse UpdateRaftVoterRequest UpdateRaftVoterResponse VoteRequest
    VoteResponse WriteShareGroupStateRequest WriteShareGroupStateResponse WriteTxnMarkersRequest
    WriteTxnMarkersResponse RequestHeader ResponseHeader ConsumerProtocolAssignment
    ConsumerProtocolSubscription
}
