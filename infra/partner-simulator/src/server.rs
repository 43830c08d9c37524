//! Serves connections concurrently, and the requests of each connection one after another.

use std::{
    future::pending,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http_body_util::{BodyExt as _, Limited};
use hyper::{Request, Response, StatusCode, body::Incoming as Stream, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};

use crate::{
    answer::{Act, Body, Manner, Raw},
    control,
    limits::{Limits, MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_IDLE, MAX_SCRIPT_BYTES},
    memory::{Incoming, Memory},
    name::Name,
    signature::Secret,
};

/// Sets the pause before accepting again when the process may open no more files.
const NO_FILES_PAUSE: Duration = Duration::from_millis(50);

/// Configures a simulator.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Holds the secrets for names without secrets in their scripts.
    pub secrets: Vec<Secret>,
    /// Limits how much the simulator keeps.
    pub limits: Limits,
}

struct Simulator {
    memory: Mutex<Memory>,
    report: Box<dyn Fn(&str) + Send + Sync>,
}

/// Says why a connection ends without an answer.
#[derive(Debug, Error)]
enum End {
    #[error("the connection ends as the script says")]
    Scripted,
    #[error("the request broke off")]
    BrokenOff,
}

/// Serves for ever. `report` gets a line for each request. The line leaves out the query string, because a query string
/// contains ids.
pub async fn serve(listener: TcpListener, settings: Settings, report: impl Fn(&str) + Send + Sync + 'static) {
    let Settings { secrets, limits } = settings;
    let memory = Mutex::new(Memory::new(limits, secrets));
    let simulator = Arc::new(Simulator { memory, report: Box::new(report) });
    let slots = Arc::new(Semaphore::new(limits.connections));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let simulator = Arc::clone(&simulator);
                tokio::spawn(async move {
                    converse(stream, &simulator).await;
                    drop(slot);
                });
            }
            Err(_) => tokio::time::sleep(NO_FILES_PAUSE).await,
        }
    }
}

/// Answers the requests of a connection in HTTP. If a request is to be answered with raw bytes, HTTP ends and the raw
/// bytes are written to the connection.
async fn converse(stream: TcpStream, simulator: &Simulator) {
    // Bytes that are sent one at a time should also arrive one at a time.
    let _ = stream.set_nodelay(true);
    let (take_over, mut taken) = mpsc::channel::<Arc<Manner>>(1);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(MAX_IDLE)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service_fn(|request| simulator.answer(request, &take_over)));
    let manner = tokio::select! {
        // An error means that the caller went away or that the script ends the connection.
        _ = &mut connection => return,
        Some(manner) = taken.recv() => manner,
    };
    if let Manner::Bytes(raw) = manner.as_ref() {
        // The whole request was read, and no byte of an answer was written yet. The raw bytes are therefore the first
        // bytes that the caller gets.
        let _ = send(connection.into_parts().io.into_inner(), raw).await;
    }
}

async fn send(mut stream: TcpStream, raw: &Raw) -> io::Result<()> {
    let (mut reading, mut writing) = stream.split();
    let mut unexpected = [0];
    tokio::select! {
        written = write(&mut writing, raw) => written,
        // The caller has gone or has sent an unexpected byte. It no longer waits for the rest of the answer.
        read = reading.read(&mut unexpected) => read.map(drop),
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), raw: &Raw) -> io::Result<()> {
    let (bytes, pause) = raw.bytes();
    if pause.is_zero() {
        to.write_all(&bytes).await?;
    } else {
        for byte in bytes {
            tokio::time::sleep(pause).await;
            to.write_u8(byte).await?;
        }
    }
    to.shutdown().await
}

impl Simulator {
    async fn answer(
        &self,
        request: Request<Stream>,
        take_over: &mpsc::Sender<Arc<Manner>>,
    ) -> Result<Response<Body>, End> {
        let (parts, body) = request.into_parts();
        let control = control::route(parts.uri.path());
        let limit = if control.is_some() { MAX_SCRIPT_BYTES } else { MAX_BODY_BYTES };
        let body = match Limited::new(body, limit).collect().await {
            Ok(body) => body.to_bytes(),
            Err(fault) if fault.is::<http_body_util::LengthLimitError>() => {
                return Ok(control::text(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    &format!("the body is too large: at most {limit} bytes are allowed"),
                ));
            }
            Err(_) => return Err(End::BrokenOff),
        };
        if let Some(segments) = control {
            return Ok(control::handle(&mut self.memory(), &parts.method, &segments, &body));
        }
        let name = match Name::of_path(parts.uri.path()) {
            Ok(name) => name,
            Err(fault) => return Ok(control::text(StatusCode::NOT_FOUND, &fault.to_string())),
        };
        let now = Timestamp::now();
        let incoming = Incoming {
            at_ms: now.as_millisecond(),
            method: parts.method.to_string(),
            target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            headers: parts.headers,
            body: body.into(),
        };
        let received = self.memory().receive(&name, incoming);
        match received {
            Ok((act, signature)) => {
                (self.report)(&format!("{now:.3} {} {name} -> {}, {signature}", parts.method, act.label));
                carry_out(act, take_over).await
            }
            Err(full) => {
                (self.report)(&format!("{now:.3} {} {name} -> 503: {full}", parts.method));
                Ok(control::text(StatusCode::SERVICE_UNAVAILABLE, &full.to_string()))
            }
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn carry_out(act: Act, take_over: &mpsc::Sender<Arc<Manner>>) -> Result<Response<Body>, End> {
    // Even a sleep of zero lasts until the timer's next tick, which takes up to a millisecond.
    if !act.delay.is_zero() {
        tokio::time::sleep(act.delay).await;
    }
    match act.manner.as_ref() {
        Manner::Hang => pending().await,
        Manner::Close => Err(End::Scripted),
        Manner::Respond(plan) => Ok(plan.response()),
        Manner::Bytes(_) => {
            // The raw bytes take over the connection, so this answer is never sent.
            let _ = take_over.send(act.manner).await;
            pending().await
        }
    }
}
