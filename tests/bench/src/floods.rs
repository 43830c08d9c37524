//! Serves partners that never answer. They send endless bytes that HTTP clients skip.

use std::{
    net::{Ipv4Addr, SocketAddr},
    thread,
};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;

/// Names the floods. Each flood is a campaign of the partner `flooding` and has a separate server.
pub const FLOODS: [&str; 3] = ["interim-answers", "pings", "settings"];

/// Holds the servers, which stop when this is dropped.
#[derive(Debug)]
pub struct Floods {
    addresses: Vec<(&'static str, SocketAddr)>,
    _stop: oneshot::Sender<()>,
}

impl Floods {
    /// Starts the servers on free ports, on a thread of their own.
    pub fn start(authority: &Authority) -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut addresses = Vec::new();
        for name in FLOODS {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
            let listener = listener.context("no port on loopback is free")?;
            listener.set_nonblocking(true)?;
            addresses.push((name, listener.local_addr()?));
            let protocol: &[u8] = if name == "interim-answers" { b"http/1.1" } else { b"h2" };
            runtime.spawn(accept(listener, authority.acceptor_of(protocol)?, name));
        }
        thread::spawn(move || {
            let _ = runtime.block_on(stopped);
        });
        Ok(Self { addresses, _stop: stop })
    }

    /// Returns each flood with the URL of its server.
    pub fn urls(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.addresses.iter().map(|(name, address)| (*name, format!("https://{address}")))
    }
}

async fn accept(listener: std::net::TcpListener, acceptor: TlsAcceptor, name: &'static str) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            // The first bytes are the request, or the preface of HTTP/2.
            let _ = stream.read(&mut [0; 4096]).await;
            let (first, then) = says(name);
            let flood = then.repeat(100);
            if stream.write_all(first).await.is_ok() {
                while stream.write_all(&flood).await.is_ok() {}
            }
        });
    }
}

/// Returns the bytes that the partner sends first, and the bytes that it repeats afterwards.
fn says(name: &str) -> (&'static [u8], &'static [u8]) {
    const EMPTY_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    match name {
        "interim-answers" => (b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
        "pings" => (EMPTY_SETTINGS, PING),
        _ => (EMPTY_SETTINGS, EMPTY_SETTINGS),
    }
}
