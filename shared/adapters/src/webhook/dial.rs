//! A new connection, to a checked address and no other.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use domain::{
    attempt::{AttemptFault, Phase},
    webhook::{Destination, WebhookUrl},
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{connection::Connection, deadline::Deadline, faults, limits::Limits};

/// Connects to one of these addresses, makes it secure where the URL says so, and agrees on a protocol.
pub(super) async fn dial(
    url: &WebhookUrl,
    addresses: &[IpAddr],
    tls: &Arc<ClientConfig>,
    limits: &Limits,
    deadline: Deadline,
) -> Result<Connection, AttemptFault> {
    let until = Instant::now() + deadline.left(limits.connect);
    let connecting = connect(addresses, url.port(), until);
    let (stream, peer) = deadline.wait(Phase::Connect, limits.connect, connecting).await?;
    if !url.is_secure() {
        return deadline.wait(Phase::Send, limits.headers, Connection::http1(stream, peer)).await;
    }
    let name = server_name(url)?;
    let securing = async {
        let connected = TlsConnector::from(tls.clone()).connect(name, stream).await;
        connected.map_err(|error| faults::securing(&error))
    };
    let stream = deadline.wait(Phase::Tls, limits.tls, securing).await?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        deadline.wait(Phase::Send, limits.headers, Connection::http2(stream, peer)).await
    } else {
        deadline.wait(Phase::Send, limits.headers, Connection::http1(stream, peer)).await
    }
}

/// Tries the addresses one after the other, each with its share of the time that is left.
async fn connect(addresses: &[IpAddr], port: u16, until: Instant) -> Result<(TcpStream, IpAddr), AttemptFault> {
    let mut fault = AttemptFault::Unreachable;
    for (address, still) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let share = (until - Instant::now()) / u32::try_from(still).unwrap_or(u32::MAX);
        // The last one ends with the whole phase, which then says that it timed out.
        let ends = if still == 1 { until + share } else { Instant::now() + share };
        match timeout_at(ends, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => {
                // A request is one write: waiting for more would only delay it.
                let _ = stream.set_nodelay(true);
                return Ok((stream, *address));
            }
            Ok(Err(error)) => {
                let new = faults::connecting(&error);
                // That there is no way to one kind of address says less than what another one answered.
                fault = if new == AttemptFault::Unreachable { fault } else { new };
            }
            Err(_) => {}
        }
    }
    Err(fault)
}

/// The name that the certificate must be for.
fn server_name(url: &WebhookUrl) -> Result<ServerName<'static>, AttemptFault> {
    match url.destination() {
        Destination::Address(address) => Ok(ServerName::IpAddress(address.into())),
        Destination::Name(name) => ServerName::try_from(name.to_owned())
            .map_err(|_| AttemptFault::Other("not sent: no certificate can be for the host's name".to_owned())),
    }
}
