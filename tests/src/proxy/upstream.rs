//! Connects one client connection to the service.

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::loopback::WholeResponse;

/// Says why the service gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("no connection to the service: {0}")]
    Connect(#[from] std::io::Error),
    #[error("no answer of the service: {0}")]
    Answer(#[from] hyper::Error),
}

/// Holds a connection to the service. The first call opens the connection. If the service has closed the connection
/// since, the next call opens another one. A call that was sent is never sent again.
#[derive(Debug)]
pub(super) struct Upstream {
    /// Holds `host:port`.
    authority: String,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Upstream {
    pub(super) fn new(authority: String) -> Self {
        Self { authority, connection: None }
    }

    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<WholeResponse, Unanswered> {
        let open = match self.connection.take() {
            Some(mut open) => open.ready().await.is_ok().then_some(open),
            None => None,
        };
        let mut connection = match open {
            Some(open) => open,
            None => self.connect().await?,
        };
        let (parts, body) = connection.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.connection = Some(connection);
        Ok(Response::from_parts(parts, Full::new(body)))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Unanswered> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            http1::Builder::new().preserve_header_case(true).handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}
