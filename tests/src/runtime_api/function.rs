//! Invokes a function under test, reads its logs, and kills it.

use std::{
    ffi::OsString,
    path::Path,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use hyper::body::Bytes;
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

use super::{
    api::{Api, Event, Poll, Posted, parse},
    process::Process,
    settings::{Settings, StartFailure},
};
use crate::{PATIENCE, loopback::Server, within_patience};

/// Holds a process of a real function binary, and the Runtime API that serves only this process. The process may have
/// ended. Dropping this value kills it.
#[derive(Debug)]
pub struct Function {
    settings: Settings,
    process: Process,
    started: Instant,
    api: Arc<Api>,
    turn: Mutex<Turn>,
    requests: AtomicU64,
    _server: Server,
}

/// Allows its holder to send the function an event. Only one event is sent at a time, as in a Lambda sandbox.
#[derive(Debug)]
struct Turn {
    polls: mpsc::UnboundedReceiver<Poll>,
    ready: Option<Poll>,
}

/// Describes the result of an event.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Says how the invocation ended.
    pub outcome: InvocationEnding,
    /// Holds the time from sending the event until the answer ended, or until the function died or timed out. Init is
    /// excluded.
    pub took: Duration,
}

/// Says how an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum InvocationEnding {
    /// The function answered. A body that is not JSON is given as a string.
    Response(Value),
    /// The handler failed or panicked and reported `{"errorType": …, "errorMessage": …}`.
    FunctionError(Value),
    /// The process ended without an answer.
    Died(ExitStatus),
    /// The function did not answer by the deadline and was killed, as Lambda does.
    TimedOut,
}

impl Invocation {
    /// Returns the function's answer. If the function did not answer, panics with the outcome.
    pub fn response(self) -> Value {
        match self.outcome {
            InvocationEnding::Response(value) => value,
            other => panic!("the function gave no response: {other:?}"),
        }
    }
}

impl Function {
    /// Starts this binary with these environment variables and Lambda's own, and no others.
    pub async fn spawn<N: Into<OsString>, V: Into<OsString>>(
        binary: impl AsRef<Path>,
        environment: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        Settings::new(binary).variables(environment).spawn().await
    }

    pub(super) async fn start(settings: Settings) -> Self {
        let (api, polls) = Api::new();
        let shared = Arc::clone(&api);
        let server = Server::start(move || {
            let api = Arc::clone(&shared);
            move |request| Arc::clone(&api).handle(request)
        })
        .await;
        let started = Instant::now();
        let process = Process::start(settings.command(&server.address().to_string()));
        let turn = Mutex::new(Turn { polls, ready: None });
        Self { settings, process, started, api, turn, requests: AtomicU64::new(0), _server: server }
    }

    /// Waits until the function asks for an event. Returns the time from its start to this first request.
    pub async fn wait_until_ready(&self) -> Result<Duration, StartFailure> {
        let mut turn = self.turn.lock().await;
        self.ready(&mut turn).await?;
        let first_poll = self.api.first_poll().unwrap_or_else(Instant::now);
        Ok(first_poll.saturating_duration_since(self.started))
    }

    /// Sends the function this event when it asks for one, and waits for the result.
    pub async fn invoke(&self, event: &Value) -> Invocation {
        self.invoke_raw(event.to_string()).await
    }

    /// Sends these bytes as the event, otherwise as [`invoke`](Self::invoke) does.
    pub async fn invoke_raw(&self, event: impl Into<Bytes>) -> Invocation {
        let mut turn = self.turn.lock().await;
        let payload = event.into();
        loop {
            let poll = match self.ready(&mut turn).await {
                Ok(()) => turn.ready.take().expect("`ready` leaves a poll"),
                Err(StartFailure::Died { status, .. }) => {
                    return Invocation { outcome: InvocationEnding::Died(status), took: Duration::ZERO };
                }
                Err(failure) => panic!("{failure}"),
            };
            let event = self.event(payload.clone());
            let answer = self.api.expect(&event.request_id);
            let handed_over = Instant::now();
            // If the connection of this poll has ended meanwhile, the event was not sent. The next poll is used.
            if poll.send(event).is_err() {
                continue;
            }
            return tokio::select! {
                biased;
                Ok(posted) = answer => Invocation::posted(posted, handed_over),
                status = self.process.ended() => {
                    Invocation { outcome: InvocationEnding::Died(status), took: handed_over.elapsed() }
                }
                () = tokio::time::sleep(self.settings.timeout) => {
                    let took = handed_over.elapsed();
                    self.kill().await;
                    Invocation { outcome: InvocationEnding::TimedOut, took }
                }
            };
        }
    }

    /// Kills the function with SIGKILL, even during an invocation. Waits until the process is gone and its logs are
    /// complete. A process that has already ended is left alone.
    pub async fn kill(&self) -> ExitStatus {
        self.process.kill();
        self.wait_for_end().await
    }

    /// Waits until the process ends, by itself or killed, and returns its status.
    pub async fn wait_for_end(&self) -> ExitStatus {
        within_patience("the function's process ends", self.process.ended()).await
    }

    /// Returns the lines written to stdout and stderr so far. They are complete once the process has ended. Before
    /// that, a line may still be in transit; use [`wait_for_log`](Self::wait_for_log).
    pub fn logs(&self) -> Vec<String> {
        self.process.logs()
    }

    /// Waits for the first log line that matches. Returns `None` if the process ends without writing it.
    pub async fn wait_for_log(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        within_patience("the function logs the wanted line", self.process.line(wanted)).await
    }

    /// Returns the process id, for measuring memory and CPU.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits until the function asks for an event, and keeps that poll in `turn.ready`.
    async fn ready(&self, turn: &mut Turn) -> Result<(), StartFailure> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while turn.ready.as_ref().is_none_or(Poll::is_closed) {
            tokio::select! {
                // The init error is checked first, because a process that reports an init error ends immediately
                // afterwards.
                biased;
                error = self.api.init_error() => return Err(StartFailure::InitError { error, logs: self.logs() }),
                status = self.process.ended() => return Err(StartFailure::Died { status, logs: self.logs() }),
                poll = turn.polls.recv() => turn.ready = poll,
                () = tokio::time::sleep_until(deadline) => return Err(StartFailure::Slow { logs: self.logs() }),
            }
        }
        Ok(())
    }

    fn event(&self, payload: Bytes) -> Event {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let deadline = SystemTime::now() + self.settings.timeout;
        Event {
            request_id: format!("00000000-0000-4000-8000-{number:012x}"),
            deadline_ms: deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis(),
            function_arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{}", self.settings.name),
            payload,
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.process.kill();
    }
}

impl Invocation {
    fn posted(Posted { body, is_error, at }: Posted, handed_over: Instant) -> Self {
        let body = parse(&body);
        let outcome = if is_error { InvocationEnding::FunctionError(body) } else { InvocationEnding::Response(body) };
        Self { outcome, took: at.saturating_duration_since(handed_over) }
    }
}
