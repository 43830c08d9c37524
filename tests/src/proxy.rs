//! Stands between a function and an AWS endpoint as an HTTP/1.1 proxy. It counts calls, fails them by plan, and holds
//! one while a test acts.
//!
//! The proxy forwards every call unchanged, including the signed `Host`, and repeats none. The service therefore
//! receives exactly the calls that the client sent. Each client connection has its own connection to the service. A
//! call that the proxy has received reaches the service even if its client dies, as bytes on a wire do.
//!
//! ```no_run
//! # async fn example(function: tests::runtime_api::Function) {
//! use tests::proxy::{Action, Proxy};
//!
//! let proxy = Proxy::start("http://127.0.0.1:4570").await;
//! proxy.on(|call| if call.operation == "PutItem" && call.nth == 1 { Action::Throttle } else { Action::Forward });
//!
//! let written = proxy.pause_after("PutItem");
//! let event = serde_json::json!({});
//! tokio::join!(function.invoke(&event), async {
//!     written.hit().await; // The item is written, and the function does not know it yet.
//!     function.kill().await;
//!     written.open();
//! });
//! # }
//! ```

mod action;
mod aws_error;
mod call;
mod gate;
mod journal;
mod needs;
mod upstream;

use std::{future::pending, net::SocketAddr, sync::Arc, time::Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    body::{Bytes, Incoming},
    http::request::Parts,
};
use tokio::sync::{Mutex, oneshot};

pub use self::{
    action::Action,
    aws_error::AwsError,
    call::{Call, CallEnding, CallFilter, Service},
    gate::Gate,
    needs::NEEDS,
};
use self::{
    action::Step,
    gate::Verdict,
    journal::{Journal, Side},
    upstream::Upstream,
};
use crate::{
    loopback::{Cut, Server, WholeResponse},
    within_patience,
};

/// Runs a proxy until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    server: Server,
    journal: Arc<Journal>,
}

/// Says what the proxy sends to a client.
enum Reply {
    Answer(WholeResponse),
    Cut,
    Silence,
}

impl Proxy {
    /// Listens on a free loopback port, in front of this endpoint (`http://host:port`).
    pub async fn start(endpoint_url: &str) -> Self {
        let authority = endpoint_url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let authority = authority.unwrap_or_else(|| panic!("{endpoint_url} is not of the form http://host:port"));
        let (authority, journal) = (authority.to_owned(), Arc::new(Journal::default()));
        let shared = Arc::clone(&journal);
        let server = Server::start(move || {
            let journal = Arc::clone(&shared);
            let upstream = Arc::new(Mutex::new(Upstream::new(authority.clone())));
            move |request| serve(Arc::clone(&journal), Arc::clone(&upstream), request)
        })
        .await;
        Self { server, journal }
    }

    /// Returns the value for `AWS_ENDPOINT_URL`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Returns the address on which the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Sets the plan, which decides what happens to each call, in the order of arrival. The previous plan ends, and
    /// [`Call::nth`] counts from 1 again. Without a plan, every call is forwarded.
    pub fn on(&self, plan: impl FnMut(&Call) -> Action + Send + 'static) {
        self.journal.plan(Box::new(plan));
    }

    /// Holds the next matching call at the returned gate before the service sees it. Later calls pass.
    pub fn pause_before(&self, calls: impl CallFilter) -> Gate {
        self.journal.pause(Side::Before, calls)
    }

    /// Holds the answer to the next matching call at the returned gate before the client receives it. Later calls pass.
    pub fn pause_after(&self, calls: impl CallFilter) -> Gate {
        self.journal.pause(Side::After, calls)
    }

    /// Returns all calls so far, in the order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.journal.calls()
    }

    /// Returns all calls so far and forgets them.
    pub fn take_calls(&self) -> Vec<Call> {
        self.journal.take_calls()
    }

    /// Counts the matching calls so far.
    pub fn count(&self, calls: impl CallFilter) -> usize {
        self.calls().into_iter().filter(move |call| calls.takes(call)).count()
    }

    /// Waits until the calls so far satisfy the condition.
    pub async fn until(&self, satisfied: impl Fn(&[Call]) -> bool) {
        within_patience("the proxy's calls satisfy the condition", self.journal.until(satisfied)).await;
    }

    /// Waits until no call is in progress, including the calls of clients that were killed.
    pub async fn settled(&self) {
        within_patience("no call is in progress in the proxy", self.journal.settled()).await;
    }
}

async fn serve(
    journal: Arc<Journal>,
    upstream: Arc<Mutex<Upstream>>,
    request: Request<Incoming>,
) -> Result<WholeResponse, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let (replied, reply) = oneshot::channel();
    // The call runs in a separate task. If the client dies, the connection ends, but the call must go on.
    tokio::spawn(async move {
        // The send fails when the client is gone, which is no fault.
        let _ = replied.send(carry(&journal, &upstream, parts, body).await);
    });
    match reply.await {
        Ok(Reply::Answer(answer)) => Ok(answer),
        Ok(Reply::Silence) => pending().await,
        Ok(Reply::Cut) | Err(_) => Err(Cut),
    }
}

/// Carries a call to its end and records its outcome.
async fn carry(journal: &Journal, upstream: &Mutex<Upstream>, parts: Parts, body: Bytes) -> Reply {
    let (call, action) = journal.arrived(&parts, &body, Instant::now());
    needs::write_down(&call, &parts);
    let (before, after) = action.steps();
    let reply = match pass(journal, &call, Side::Before, before).await {
        Some(reply) => reply,
        None => match upstream.lock().await.send(Request::from_parts(parts, Full::new(body))).await {
            Ok(answer) => {
                journal.reached_service(&call);
                pass(journal, &call, Side::After, after).await.unwrap_or(Reply::Answer(answer))
            }
            // The service has closed the connection or does not run. The client's connection is closed too.
            Err(_) => Reply::Cut,
        },
    };
    let outcome = match &reply {
        Reply::Answer(answer) => CallEnding::Answered(answer.status().as_u16()),
        Reply::Cut => CallEnding::Cut,
        Reply::Silence => CallEnding::Silence,
    };
    journal.ended(&call, outcome);
    reply
}

/// Does the planned step before or after the service, as `side` says. Returns `None` if the call goes on.
async fn pass(journal: &Journal, call: &Call, side: Side, step: Step) -> Option<Reply> {
    if let Some(gate) = journal.gate_for(side, call)
        && gate.stand(call.clone()).await == Verdict::Cut
    {
        return Some(Reply::Cut);
    }
    match step {
        Step::Pass => None,
        Step::Wait(time) => {
            tokio::time::sleep(time).await;
            None
        }
        Step::Stand(gate) => (gate.stand(call.clone()).await == Verdict::Cut).then_some(Reply::Cut),
        Step::Refuse(error) => Some(Reply::Answer(error.answer(call))),
        Step::Answer(answer) => Some(Reply::Answer(hyper::Response::new(Full::new(answer.to_string().into())))),
        Step::Throttle => Some(Reply::Answer(AwsError::throttling_of(call.service).answer(call))),
        Step::Cut => Some(Reply::Cut),
        Step::Silence => Some(Reply::Silence),
    }
}
