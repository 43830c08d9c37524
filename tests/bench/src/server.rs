//! Runs an HTTP/1.1 server on loopback, with or without TLS, on its own thread.

use std::{
    convert::Infallible,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

/// Holds the body of an answer, whole or streamed.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Holds a server, which stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    secure: bool,
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// Starts the server on a free port. hyper adds a correct `Date`. Without this header, AWS's clients would assume
    /// that their clock is wrong.
    pub fn start<F, A>(acceptor: Option<TlsAcceptor>, answer: F) -> Result<Self>
    where
        F: Fn(Request<Incoming>) -> A + Send + Sync + 'static,
        A: Future<Output = Response<Body>> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let secure = acceptor.is_some();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port on loopback is free")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, acceptor, Arc::new(answer)) => {}
                }
            });
        });
        Ok(Self { address, secure, _stop: stop })
    }

    /// Returns the server's URL without a slash at the end.
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

async fn accept<F, A>(listener: std::net::TcpListener, acceptor: Option<TlsAcceptor>, answer: Arc<F>)
where
    F: Fn(Request<Incoming>) -> A + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
        tokio::spawn(async move {
            match acceptor {
                None => converse(stream, answer).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        converse(stream, answer).await;
                    }
                }
            }
        });
    }
}

async fn converse<F, A>(stream: impl AsyncRead + AsyncWrite + Unpin, answer: Arc<F>)
where
    F: Fn(Request<Incoming>) -> A,
    A: Future<Output = Response<Body>>,
{
    let service = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    // An error here means that the client has closed the connection.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}
