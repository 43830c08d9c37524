//! Serves HTTP/1.1 on the loopback interface, for the Runtime API and for the proxy.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
};

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

/// Holds a whole answer, so that its length is known.
pub(crate) type WholeResponse = Response<Full<Bytes>>;

/// Tells the server to end the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was cut on purpose")]
pub(crate) struct Cut;

/// Listens until it is dropped. Then its connections end too.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    accepting: AbortHandle,
}

impl Server {
    /// Listens on a free port. Calls `connect` for each connection to make the handler of its requests.
    pub(crate) async fn start<H, F>(mut connect: impl FnMut() -> H + Send + 'static) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Send + 'static,
        F: Future<Output = Result<WholeResponse, Cut>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (stream, _) = accepted.expect("a listener accepts while the process may open files");
                        connections.spawn(converse(stream, connect()));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Self { address, accepting: accepting.abort_handle() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn converse<H, F>(stream: TcpStream, handler: H)
where
    H: Fn(Request<Incoming>) -> F + Send,
    F: Future<Output = Result<WholeResponse, Cut>> + Send,
{
    // With Nagle's algorithm a small answer waits for the peer's delayed acknowledgement, 40 ms that no function spent.
    let _ = stream.set_nodelay(true);
    // An error here means that the peer went away or that an answer was cut. Tests do both on purpose.
    let _ = http1::Builder::new()
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(stream), service_fn(handler))
        .await;
}
