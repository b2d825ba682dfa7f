//! AddRaftVoter, RemoveRaftVoter and UpdateRaftVoter (KIP-853), as tools and other replicas ask for them, and as this
//! one asks for itself.

use std::time::Duration;

use ottla_client::Error;
use ottla_env::Env;
use ottla_metadata::image::KRAFT_VERSION;
use ottla_protocol::messages::{
    AddRaftVoterRequest, AddRaftVoterResponse, ApiVersionsRequest, RemoveRaftVoterRequest,
    RemoveRaftVoterResponse, UpdateRaftVoterRequest, UpdateRaftVoterResponse,
    add_raft_voter_request, update_raft_voter_request, update_raft_voter_response,
};
use ottla_protocol::{ErrorCode, Str};
use ottla_raft::message::{AddVoter, Answer, RemoveVoter, Request, Response, UpdateVoter};
use ottla_raft::replica::Endpoints;
use ottla_raft::{Endpoint, Event, NodeId, ReplicaKey, Voter};

use super::RaftDriver;
use super::core::Reply;
use super::endpoints::host_and_port;
use super::outgoing::{NO_PATIENCE, Talk, directory};
use super::serve::told;

/// Within this time a change is committed, or the asker hears that it may yet be.
const CHANGE_MAX: Duration = Duration::from_secs(30);

impl<E: Env> RaftDriver<E> {
    pub(crate) async fn add_voter(&self, request: &AddRaftVoterRequest) -> AddRaftVoterResponse {
        let listeners = request.listeners.iter();
        let endpoints: Endpoints =
            listeners.map(|at| endpoint(&at.name, &at.host, at.port)).collect();
        let key = ReplicaKey::new(NodeId(request.voter_id), request.voter_directory_id);
        let limit = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let added = async {
            self.check_cluster(request.cluster_id.as_ref())?;
            if !self.view.borrow().is_me {
                return Err(ErrorCode::NotLeaderOrFollower);
            }
            let at = endpoints.get(&self.listener).ok_or(ErrorCode::InvalidRequest)?;
            let kraft_versions = self.kraft_versions_of(at).await?;
            let voter = Voter { key, endpoints: endpoints.clone(), kraft_versions };
            let ack_when_committed = request.ack_when_committed;
            self.change(Request::AddVoter(AddVoter { voter, ack_when_committed })).await
        };
        let added = self.env.timeout(limit.min(CHANGE_MAX), added).await;
        let error = added.unwrap_or(Err(ErrorCode::RequestTimedOut)).err();
        tracing::info!(voter = request.voter_id, ?error, "a voter was to be added");
        AddRaftVoterResponse { error_code: code(error), ..AddRaftVoterResponse::default() }
    }

    pub(crate) async fn remove_voter(
        &self,
        request: &RemoveRaftVoterRequest,
    ) -> RemoveRaftVoterResponse {
        let voter = ReplicaKey::new(NodeId(request.voter_id), request.voter_directory_id);
        let removed = async {
            self.check_cluster(request.cluster_id.as_ref())?;
            self.change(Request::RemoveVoter(RemoveVoter { voter })).await
        };
        let removed = self.env.timeout(CHANGE_MAX, removed).await;
        let error = removed.unwrap_or(Err(ErrorCode::RequestTimedOut)).err();
        tracing::info!(voter = request.voter_id, ?error, "a voter was to be removed");
        RemoveRaftVoterResponse { error_code: code(error), ..RemoveRaftVoterResponse::default() }
    }

    pub(crate) async fn update_voter(
        &self,
        request: &UpdateRaftVoterRequest,
    ) -> UpdateRaftVoterResponse {
        if let Err(error) = self.check_cluster(request.cluster_id.as_ref()) {
            return UpdateRaftVoterResponse { error_code: error.code(), ..Default::default() };
        }
        let versions = &request.k_raft_version_feature;
        let listeners = request.listeners.iter();
        let voter = Voter {
            key: ReplicaKey::new(NodeId(request.voter_id), request.voter_directory_id),
            endpoints: listeners.map(|at| endpoint(&at.name, &at.host, at.port)).collect(),
            kraft_versions: (versions.min_supported_version, versions.max_supported_version),
        };
        let update = UpdateVoter { epoch: request.current_leader_epoch, voter };
        let asked = self.ask(Request::UpdateVoter(update));
        let Ok(Some(Reply::Plain(answer))) = self.env.timeout(CHANGE_MAX, asked).await else {
            let error_code = ErrorCode::RequestTimedOut.code();
            return UpdateRaftVoterResponse { error_code, ..Default::default() };
        };
        let (error_code, leader_id, leader_epoch) = told(&answer);
        let (host, port) = self
            .leader_of(&answer)
            .map_or((Str::default(), 0), |(_, host, port)| (host, i32::from(port)));
        let current_leader = update_raft_voter_response::CurrentLeader {
            leader_id,
            leader_epoch,
            host,
            port,
            ..Default::default()
        };
        UpdateRaftVoterResponse { error_code, current_leader, ..Default::default() }
    }

    /// Raises the quorum's `kraft.version`, as the active controller was asked to; `dry` only asks whether that could be.
    pub(crate) async fn upgrade(&self, version: i16, dry: bool) -> Result<(), ErrorCode> {
        let asked = self.ask_with(|token| Event::Upgrade { token, version, dry });
        let answered = self.env.timeout(CHANGE_MAX, async { outcome(asked.await) }).await;
        let upgraded = answered.unwrap_or(Err(ErrorCode::RequestTimedOut));
        tracing::info!(version, dry, error = ?upgraded.err(), "kraft.version was to be raised");
        upgraded
    }

    async fn change(&self, request: Request) -> Result<(), ErrorCode> {
        outcome(self.ask(request).await)
    }

    /// Asks the node itself what it speaks: one that cannot be reached must not be counted upon for a majority.
    async fn kraft_versions_of(&self, at: &Endpoint) -> Result<(i16, i16), ErrorCode> {
        let address = host_and_port(at);
        let asked = async {
            let connection = self.links.take(&self.env, &address).await?;
            let request = ApiVersionsRequest {
                client_software_name: Str::from_static("ottla"),
                client_software_version: Str::from_static(env!("CARGO_PKG_VERSION")),
                ..ApiVersionsRequest::default()
            };
            let response = connection.call(&request, NO_PATIENCE).await?;
            self.links.give_back(connection);
            Ok::<_, Error>(response)
        };
        let response = asked.await.map_err(|error| {
            tracing::warn!(%address, %error, "a node that is to become a voter does not answer");
            ErrorCode::RequestTimedOut
        })?;
        let feature = response.supported_features.iter();
        let feature = feature.filter(|feature| *feature.name == *KRAFT_VERSION);
        let versions = feature.map(|feature| (feature.min_version, feature.max_version)).next();
        Ok(versions.unwrap_or((0, 0)))
    }
}

impl<E: Env> Talk<'_, E> {
    pub(super) async fn add_voter(&self, add: AddVoter) -> Result<Response, Error> {
        let listener = |(name, at): (&String, &Endpoint)| add_raft_voter_request::Listener {
            name: Str::copy_from(name),
            host: Str::copy_from(&at.host),
            port: at.port,
            ..Default::default()
        };
        let mut request = AddRaftVoterRequest {
            cluster_id: self.cluster_id(),
            timeout_ms: i32::try_from(CHANGE_MAX.as_millis()).unwrap_or(i32::MAX),
            voter_id: add.voter.key.id.0,
            voter_directory_id: directory(&add.voter.key),
            listeners: add.voter.endpoints.iter().map(listener).collect(),
            ..Default::default()
        };
        // Version 0 waits for the commit always.
        if self.connection.version_of::<AddRaftVoterRequest>()? >= 1 {
            request.ack_when_committed = add.ack_when_committed;
        }
        let response = self.connection.call(&request, NO_PATIENCE).await?;
        Ok(self.changed(response.error_code))
    }

    pub(super) async fn remove_voter(&self, remove: RemoveVoter) -> Result<Response, Error> {
        let request = RemoveRaftVoterRequest {
            cluster_id: self.cluster_id(),
            voter_id: remove.voter.id.0,
            voter_directory_id: directory(&remove.voter),
            ..Default::default()
        };
        let response = self.connection.call(&request, NO_PATIENCE).await?;
        Ok(self.changed(response.error_code))
    }

    pub(super) async fn update_voter(&self, update: UpdateVoter) -> Result<Response, Error> {
        let listener = |(name, at): (&String, &Endpoint)| update_raft_voter_request::Listener {
            name: Str::copy_from(name),
            host: Str::copy_from(&at.host),
            port: at.port,
            ..Default::default()
        };
        let (min_supported_version, max_supported_version) = update.voter.kraft_versions;
        let request = UpdateRaftVoterRequest {
            cluster_id: self.cluster_id(),
            current_leader_epoch: update.epoch,
            voter_id: update.voter.key.id.0,
            voter_directory_id: directory(&update.voter.key),
            listeners: update.voter.endpoints.iter().map(listener).collect(),
            k_raft_version_feature: update_raft_voter_request::KRaftVersionFeature {
                min_supported_version,
                max_supported_version,
                ..Default::default()
            },
            ..Default::default()
        };
        let response = self.connection.call(&request, NO_PATIENCE).await?;
        let leader = &response.current_leader;
        let known = (leader.leader_id, &leader.host, u16::try_from(leader.port).unwrap_or(0));
        let (leader_id, epoch) = (leader.leader_id, leader.leader_epoch);
        let known = std::iter::once(known);
        Ok(Response::VoterChange(self.answer(response.error_code, leader_id, epoch, known)))
    }

    /// These answers name no leader: nothing is learned of one.
    fn changed(&self, error_code: i16) -> Response {
        Response::VoterChange(self.answer(error_code, -1, -1, std::iter::empty()))
    }
}

/// What became of a change that waited for its commit.
fn outcome(reply: Option<Reply>) -> Result<(), ErrorCode> {
    match reply {
        Some(Reply::Plain(Answer { error: ErrorCode::None, .. })) => Ok(()),
        Some(Reply::Plain(Answer { error, .. })) => Err(error),
        _ => Err(ErrorCode::NotLeaderOrFollower),
    }
}

fn code(error: Option<ErrorCode>) -> i16 {
    error.unwrap_or(ErrorCode::None).code()
}

fn endpoint(name: &Str, host: &Str, port: u16) -> (String, Endpoint) {
    (name.as_str().to_owned(), Endpoint { host: host.as_str().to_owned(), port })
}
