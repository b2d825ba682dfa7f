//! `ControllerChannel`: requests of this node to the active controller, which may be this node.
//!
//! It finds the controller, finds another where that one no longer leads, and tries again until a
//! limit. Over the network it goes to the controller's listener, never to a client listener.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_client::ClientOptions;
use ottla_env::{Env, MonoTime};
use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_protocol::messages::{BrokerRegistrationRequest, EnvelopeRequest, EnvelopeResponse};
use ottla_protocol::{ErrorCode, Message as _, Request};

use super::controller::{ControllerDriver, ControllerRequest};
use super::metadata::MetadataDriver;
use super::raft::{QuorumView, RaftDriver};
use crate::node::{ConfigCell, NodeIdentity};

mod line;
mod new_topics;

use line::{Line, Lines, moved};

/// First pause before a request is tried again; it doubles.
const BACK_OFF_MIN: Duration = Duration::from_millis(20);
const BACK_OFF_MAX: Duration = Duration::from_millis(500);
/// What a controller is given for one answer to this node: it may wait for its quorum.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The limit of a connection itself: those of the requests on it are shorter.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// The way to the active controller.
pub(crate) struct ControllerChannel<E: Env> {
    env: E,
    node: NodeIdentity,
    config: ConfigCell,
    raft: Arc<RaftDriver<E>>,
    metadata: Arc<MetadataDriver<E>>,
    controller: Arc<ControllerDriver<E>>,
    lines: Lines<E>,
}

/// Where a request goes.
enum Way {
    Here,
    There(String),
    /// Nobody leads, or nobody says where.
    Nowhere,
}

impl<E: Env> ControllerChannel<E> {
    pub(crate) fn new(
        env: E,
        node: NodeIdentity,
        config: ConfigCell,
        raft: Arc<RaftDriver<E>>,
        metadata: Arc<MetadataDriver<E>>,
        controller: Arc<ControllerDriver<E>>,
    ) -> Arc<Self> {
        let lines = Lines::new();
        Arc::new(Self { env, node, config, raft, metadata, controller, lines })
    }

    /// The quorum, which says who the active controller is.
    pub(crate) fn raft(&self) -> &Arc<RaftDriver<E>> {
        &self.raft
    }

    /// Asks the active controller, for at most `limit`. The answer is its own, whatever it says of
    /// the request, except that a node which does not lead is not believed.
    pub(crate) async fn call<R: ControllerRequest>(
        &self,
        request: R,
        limit: Duration,
    ) -> Result<R::Response, ErrorCode> {
        let deadline = self.env.now() + limit;
        let mut back_off = BACK_OFF_MIN;
        let is_beat = request.heartbeat_of().is_some();
        let line = if is_beat { &self.lines.beats } else { &self.lines.own };
        loop {
            let answer = match self.way() {
                Way::Here => {
                    let version = *R::VERSIONS.end();
                    let left = deadline - self.env.now();
                    let work = self.controller.answer(request.clone(), version);
                    self.env.timeout(left, work).await.ok()
                }
                Way::There(address) => {
                    let soon = deadline.min(self.env.now() + ANSWER_MAX);
                    self.ask(line, &address, &request, soon).await
                }
                Way::Nowhere => None,
            };
            if let Some(answer) = answer
                && R::outcome(&answer) != ErrorCode::NotController
            {
                return Ok(answer);
            }
            self.pause(&mut back_off, deadline).await?;
        }
    }

    /// Has a client's request decided by the controller on another node (KIP-590). Answers with the
    /// bytes of the client's answer; NOT_CONTROLLER where the controller is here by now.
    pub(crate) async fn forward(
        &self,
        envelope: &EnvelopeRequest,
        limit: Duration,
    ) -> Result<Bytes, ErrorCode> {
        let deadline = self.env.now() + limit;
        let mut back_off = BACK_OFF_MIN;
        let line = self.env.timeout(limit, self.lines.take()).await;
        let line = line.map_err(|_| ErrorCode::RequestTimedOut)?;
        loop {
            let answer = match self.way() {
                Way::Here if self.controller.is_active() => return Err(ErrorCode::NotController),
                // Who asks once more while the first time is still under way is told of what that did.
                Way::There(address) => self.ask(&line, &address, envelope, deadline).await,
                Way::Here | Way::Nowhere => None,
            };
            match answer.map(unwrapped) {
                Some(Err(ErrorCode::NotController)) | None => {}
                Some(outcome) => return outcome,
            }
            self.pause(&mut back_off, deadline).await?;
        }
    }

    /// Registers the broker of this node. Where the controller runs in this very process, the broker has
    /// read the metadata as far as the controller has, and lives as long: its fence comes down at once.
    pub(crate) async fn register(
        &self,
        request: BrokerRegistrationRequest,
        limit: Duration,
    ) -> Result<i64, Refusal> {
        if self.controller.is_active() {
            let version = *BrokerRegistrationRequest::VERSIONS.end();
            let command =
                Command::RegisterBroker { request: request.clone(), version, unfence: true };
            match self.controller.submit(command, false).await {
                Ok(Reply::Registered { broker_epoch }) => return Ok(broker_epoch),
                Ok(Reply::Refused(refusal)) => return Err(refusal),
                Ok(_) => return Err(Refusal::bare(ErrorCode::UnknownServerError)),
                Err(ErrorCode::NotController) => {}
                Err(code) => return Err(Refusal::bare(code)),
            }
        }
        let response = self.call(request, limit).await.map_err(Refusal::bare)?;
        match ErrorCode::from_code_or_unknown(response.error_code) {
            ErrorCode::None => Ok(response.broker_epoch),
            code => Err(Refusal::bare(code)),
        }
    }

    /// Gives partitions that a broker leads new leader epochs; answers how many are left to be given
    /// one. Only where the controller is here.
    pub(crate) async fn renew_leader_epochs(&self, broker_id: i32) -> Result<usize, ErrorCode> {
        match self.controller.submit(Command::RenewLeaderEpochs { broker_id }, false).await? {
            Reply::Remaining(left) => Ok(left),
            Reply::Refused(refusal) => Err(refusal.code),
            _ => Err(ErrorCode::UnknownServerError),
        }
    }

    fn way(&self) -> Way {
        let view = self.raft.watch();
        let QuorumView { is_me, leader_address, .. } = &*view.borrow();
        match leader_address {
            _ if *is_me => Way::Here,
            Some(address) => Way::There(address.clone()),
            None => Way::Nowhere,
        }
    }

    /// One attempt over the network; nothing where no answer came.
    async fn ask<R: Request + Sync>(
        &self,
        line: &Line<E>,
        address: &str,
        request: &R,
        deadline: MonoTime,
    ) -> Option<R::Response> {
        let left = deadline - self.env.now();
        let options = self.options();
        let mut used = None;
        let asked = self.env.timeout(left, async {
            let view = self.raft.watch();
            let connection = line.connection(&self.env, address, &options, view).await?;
            used.insert(connection).call(request, Duration::ZERO).await
        });
        let mut view = self.raft.watch();
        let asked = tokio::select! {
            biased;
            asked = asked => Some(asked),
            // A controller that is gone answers no more, and its connection may not say so for long.
            () = moved(&mut view, address) => None,
        };
        match asked {
            Some(Ok(Ok(answer))) => return Some(answer),
            Some(Ok(Err(error))) => {
                tracing::debug!(%error, address, request = R::NAME, "no answer of the controller");
            }
            Some(Err(_)) => {
                tracing::debug!(address, request = R::NAME, "the controller is too slow");
            }
            None => {}
        }
        if let Some(silent) = used {
            line.forget(&silent).await;
        }
        None
    }

    fn options(&self) -> ClientOptions {
        ClientOptions {
            client_id: format!("ottla-{}", self.node.node_id),
            request_timeout: SILENCE_MAX,
            ..ClientOptions::default()
        }
    }

    /// Waits for a change of the quorum or for a while, whichever comes first.
    async fn pause(&self, back_off: &mut Duration, deadline: MonoTime) -> Result<(), ErrorCode> {
        let left = deadline - self.env.now();
        if left.is_zero() {
            return Err(ErrorCode::RequestTimedOut);
        }
        let mut view = self.raft.watch();
        let before = view.borrow_and_update().leader;
        let moved = async move {
            let _ = view.wait_for(|now| now.leader.is_some() && now.leader != before).await;
        };
        let _ = self.env.timeout((*back_off).min(left), moved).await;
        *back_off = (*back_off * 2).min(BACK_OFF_MAX);
        Ok(())
    }
}

fn unwrapped(answer: EnvelopeResponse) -> Result<Bytes, ErrorCode> {
    match ErrorCode::from_code_or_unknown(answer.error_code) {
        ErrorCode::None => answer.response_data.ok_or(ErrorCode::UnknownServerError),
        code => Err(code),
    }
}
