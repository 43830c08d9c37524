//! An HTTP/1.1 server on the loopback interface: what the Runtime API and the proxy have in common.

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

/// What is answered: always whole, so that its length is known.
pub(crate) type Answer = Response<Full<Bytes>>;

/// Instead of an answer: the connection ends without one.
#[derive(Debug, thiserror::Error)]
#[error("the connection was cut on purpose")]
pub(crate) struct Cut;

/// A server that listens until it is dropped; its connections end with it.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    accepting: AbortHandle,
}

impl Server {
    /// Listens on a free port. `connect` is called for each connection and makes what answers its requests.
    pub(crate) async fn start<H, F>(mut connect: impl FnMut() -> H + Send + 'static) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Send + 'static,
        F: Future<Output = Result<Answer, Cut>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port should be free");
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
    F: Future<Output = Result<Answer, Cut>> + Send,
{
    // Without it a small answer waits for the other side's delayed acknowledgement: 40 ms that no function spent.
    let _ = stream.set_nodelay(true);
    // An error here is a peer that went away or an answer that was cut: both are what a test wanted.
    let _ = http1::Builder::new()
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(stream), service_fn(handler))
        .await;
}
