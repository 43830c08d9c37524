//! One connection to a partner, over which requests go one after the other (HTTP/1.1) or side by side (HTTP/2).

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use domain::attempt::AttemptFault;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
};

use super::{
    faults,
    limits::MAX_HEAD_BYTES,
    status_line::{StatusLine, Watched},
};

pub(super) type Body = Full<Bytes>;

/// The task that moves a connection's bytes. It is stopped, and the connection closed, when nobody holds it any more:
/// nothing a partner does can keep it.
#[derive(Debug)]
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug, Clone)]
pub(super) struct Http2 {
    sender: http2::SendRequest<Body>,
    driver: Arc<Driver>,
}

#[derive(Debug)]
pub(super) struct Http1 {
    sender: http1::SendRequest<Body>,
    line: StatusLine,
    _driver: Driver,
}

#[derive(Debug)]
pub(super) enum Protocol {
    Http1(Http1),
    Http2(Http2),
}

/// A connection, and the checked address that it leads to.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: IpAddr,
    pub(super) protocol: Protocol,
}

/// What became of a request that was not answered.
pub(super) enum Unanswered {
    /// The connection had ended before; not a byte was written.
    Unsent,
    /// It was written, or a part of it, or nobody knows.
    Failed(AttemptFault),
}

impl Connection {
    /// Speaks HTTP/1.1 on this stream.
    pub(super) async fn http1<T>(stream: T, peer: IpAddr) -> Result<Self, AttemptFault>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let line = StatusLine::default();
        let io = TokioIo::new(Watched::new(stream, line.clone()));
        // Of headers it takes 100: hyper's own bound, without which it would allocate for each answer.
        let handshake = http1::Builder::new().max_buf_size(MAX_HEAD_BYTES).handshake(io).await;
        let (sender, connection) = handshake.map_err(|error| faults::sending(&error))?;
        let driver = drive(connection);
        Ok(Self { peer, protocol: Protocol::Http1(Http1 { sender, line, _driver: driver }) })
    }

    /// Speaks HTTP/2 on this stream.
    pub(super) async fn http2<T>(stream: T, peer: IpAddr) -> Result<Self, AttemptFault>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let head_bytes = u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX);
        let handshake = http2::Builder::new(TokioExecutor::new())
            .max_header_list_size(head_bytes)
            // A partner cannot send more than this ahead of our reading: per answer, and all answers together.
            .initial_stream_window_size(head_bytes)
            .initial_connection_window_size(16 * head_bytes)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = handshake.map_err(|error| faults::sending(&error))?;
        let driver = Arc::new(drive(connection));
        Ok(Self { peer, protocol: Protocol::Http2(Http2 { sender, driver }) })
    }

    /// Whether a request may be sent on it: it is open, and has nothing to finish first.
    pub(super) fn is_ready(&self) -> bool {
        match &self.protocol {
            Protocol::Http1(http1) => http1.sender.is_ready(),
            Protocol::Http2(http2) => http2.sender.is_ready(),
        }
    }

    /// Whether it has ended.
    pub(super) fn is_closed(&self) -> bool {
        match &self.protocol {
            Protocol::Http1(http1) => http1.sender.is_closed(),
            Protocol::Http2(http2) => http2.sender.is_closed(),
        }
    }

    /// Whether both are the same connection, which only those of HTTP/2 can be.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (&self.protocol, &other.protocol) {
            (Protocol::Http2(one), Protocol::Http2(other)) => Arc::ptr_eq(&one.driver, &other.driver),
            _ => false,
        }
    }

    /// The same connection for another request at the same time, if it can do that.
    pub(super) fn share(&self) -> Option<Self> {
        match &self.protocol {
            Protocol::Http1(_) => None,
            Protocol::Http2(http2) => Some(Self { peer: self.peer, protocol: Protocol::Http2(http2.clone()) }),
        }
    }

    /// Sends one request once.
    pub(super) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Unanswered> {
        let sent = match &mut self.protocol {
            Protocol::Http1(http1) => {
                http1.line.expect();
                http1.sender.try_send_request(request).await
            }
            Protocol::Http2(http2) => http2.sender.try_send_request(request).await,
        };
        sent.map_err(unanswered)
    }

    /// The status of an answer that is not complete, where its status line is.
    pub(super) fn status(&self) -> Option<u16> {
        match &self.protocol {
            Protocol::Http1(http1) => http1.line.status(),
            Protocol::Http2(_) => None,
        }
    }
}

fn drive<E>(connection: impl Future<Output = Result<(), E>> + Send + 'static) -> Driver {
    // How it ended, whoever waits for an answer is told.
    Driver(tokio::spawn(async move { drop(connection.await) }))
}

/// hyper gives a request back only if its connection never took it.
fn unanswered(mut error: TrySendError<Request<Body>>) -> Unanswered {
    if error.take_message().is_some() { Unanswered::Unsent } else { Unanswered::Failed(faults::sending(error.error())) }
}
