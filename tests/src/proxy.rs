//! An HTTP/1.1 proxy between a function and an AWS endpoint: it counts calls, fails them by plan, and holds one while a
//! test acts.
//!
//! It changes nothing that it forwards, the signed `Host` included, and repeats nothing: what arrives at the service is
//! what the client sent, as often as the client sent it. Each connection of a client has one of its own to the service.
//! A call that the proxy has taken goes its way though its client dies, as bytes on a wire do.
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
//!     written.hit().await; // DynamoDB has done it, the function does not know
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
    call::{Call, CallFilter, Outcome, Service},
    gate::Gate,
};
use self::{
    action::Step,
    gate::Verdict,
    journal::{Journal, Side},
    upstream::Upstream,
};
use crate::{
    loopback::{Answer, Cut, Server},
    within_patience,
};

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    server: Server,
    journal: Arc<Journal>,
}

/// What a client gets from the proxy.
enum Reply {
    Answer(Answer),
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

    /// What to set `AWS_ENDPOINT_URL` to.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// From now on this decides what happens to each call, in the order of their arrival; it replaces what decided
    /// before, and [`Call::nth`] counts from 1 again. Without a plan everything is forwarded.
    pub fn on(&self, plan: impl FnMut(&Call) -> Action + Send + 'static) {
        self.journal.plan(Box::new(plan));
    }

    /// The next such call waits at the returned gate before the service sees it; later ones pass.
    pub fn pause_before(&self, calls: impl CallFilter) -> Gate {
        self.journal.pause(Side::Before, calls)
    }

    /// The next such call that the service has answered waits at the returned gate before its client hears the answer;
    /// later ones pass.
    pub fn pause_after(&self, calls: impl CallFilter) -> Gate {
        self.journal.pause(Side::After, calls)
    }

    /// All calls so far, in the order of their arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.journal.calls()
    }

    /// All calls so far, which are then forgotten.
    pub fn take_calls(&self) -> Vec<Call> {
        self.journal.take_calls()
    }

    /// How many such calls there were.
    pub fn count(&self, calls: impl CallFilter) -> usize {
        self.calls().into_iter().filter(move |call| calls.takes(call)).count()
    }

    /// Waits until the calls so far satisfy this.
    pub async fn until(&self, satisfied: impl Fn(&[Call]) -> bool) {
        within_patience("the proxy's calls are as awaited", self.journal.until(satisfied)).await;
    }

    /// Waits until no call is under way: also those of a client that has been killed.
    pub async fn settled(&self) {
        within_patience("no call is under way in the proxy", self.journal.settled()).await;
    }
}

async fn serve(
    journal: Arc<Journal>,
    upstream: Arc<Mutex<Upstream>>,
    request: Request<Incoming>,
) -> Result<Answer, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let (replied, reply) = oneshot::channel();
    // A task of its own: the connection ends with its client, the call does not.
    tokio::spawn(async move {
        // Nobody hears it when the client is gone.
        let _ = replied.send(carry(&journal, &upstream, parts, body).await);
    });
    match reply.await {
        Ok(Reply::Answer(answer)) => Ok(answer),
        Ok(Reply::Silence) => pending().await,
        Ok(Reply::Cut) | Err(_) => Err(Cut),
    }
}

/// Takes a call to its end and keeps what came of it.
async fn carry(journal: &Journal, upstream: &Mutex<Upstream>, parts: Parts, body: Bytes) -> Reply {
    let (call, action) = journal.arrived(&parts, &body, Instant::now());
    let (before, after) = action.steps();
    let reply = match pass(journal, &call, Side::Before, before).await {
        Some(reply) => reply,
        None => match upstream.lock().await.send(Request::from_parts(parts, Full::new(body))).await {
            Ok(answer) => {
                journal.reached_service(&call);
                pass(journal, &call, Side::After, after).await.unwrap_or(Reply::Answer(answer))
            }
            // The service hung up or is not there: the client sees the same.
            Err(_) => Reply::Cut,
        },
    };
    let outcome = match &reply {
        Reply::Answer(answer) => Outcome::Answered(answer.status().as_u16()),
        Reply::Cut => Outcome::Cut,
        Reply::Silence => Outcome::Silence,
    };
    journal.ended(&call, outcome);
    reply
}

/// Does what was asked for this side of the service; `None` when the call goes on.
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
