//! Sends requests byte for byte. A URL library would encode the very bytes that are to be tried.

use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, pki_types::ServerName};
use serde_json::Value;
use url::Url;

/// Bounds the connection, and each wait for bytes.
const PATIENCE: Duration = Duration::from_secs(15);
const MOST_BYTES: u64 = 64 * 1024;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Value,
}

/// Sends this request to the server of the URL, and reads the answer to its end.
pub(super) fn send(base: &Url, request: &[u8]) -> Result<Answer> {
    let host = base.host_str().context("the URL has no host")?;
    let port = base.port_or_known_default().context("the URL has no port")?;
    let address = (host, port).to_socket_addrs()?.next().context("the host has no address")?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let bytes = if base.scheme() == "https" {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let tls = ClientConnection::new(Arc::new(config), ServerName::try_from(host.to_owned())?)?;
        exchange(StreamOwned::new(tls, stream), request)
    } else {
        exchange(stream, request)
    };
    answer(&bytes)
}

/// Returns all bytes until the end or an error. A server may close a TLS connection without announcing the end.
fn exchange(mut stream: impl Read + Write, request: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if stream.write_all(request).and_then(|()| stream.flush()).is_ok() {
        let _ = stream.take(MOST_BYTES).read_to_end(&mut bytes);
    }
    bytes
}

fn answer(bytes: &[u8]) -> Result<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    // The body may come in chunks. Its JSON is between the first and the last brace.
    let json = body.find('{').zip(body.rfind('}')).and_then(|(from, to)| body.get(from..=to));
    let body = json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    Ok(Answer { status, head: head.to_ascii_lowercase(), body })
}
