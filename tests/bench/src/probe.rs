//! Measures the speed of the stand-in for AWS with a client that only makes conditional puts, one after another.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::TlsConnector;

use crate::{
    authority::Authority,
    stats::{Spread, number},
    world::World,
};

/// Holds a connection to the stand-in.
#[derive(Debug)]
pub struct Probe(http1::SendRequest<Full<Bytes>>);

impl Probe {
    /// Connects to this URL as a client that trusts this authority.
    pub async fn connect(url: &str, authority: &Authority) -> Result<Self> {
        let address = url.trim_start_matches("https://");
        let mut roots = RootCertStore::empty();
        roots.add(
            CertificateDer::from_pem_file(authority.alone()).ok().context("the authority's file has no certificate")?,
        )?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("127.0.0.1")?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Calls an operation, and returns its status, its `Date` and its answer.
    pub async fn call(&mut self, target: &str, body: &Value) -> Result<(u16, String, Value)> {
        let request = Request::post("/").header("host", "127.0.0.1").header("x-amz-target", target);
        let answer = self.0.send_request(request.body(Full::new(Bytes::from(body.to_string())))?).await?;
        let date = answer.headers().get("date").map(|date| String::from_utf8_lossy(date.as_bytes()).into_owned());
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, date.unwrap_or_default(), serde_json::from_slice(&body)?))
    }

    async fn put(&mut self, key: &str) -> Result<()> {
        let item = json!({"pk": {"S": key}, "text": {"S": "x".repeat(300)}});
        let put = json!({"TableName": "records", "Item": item, "ConditionExpression": "attribute_not_exists(pk)"});
        let (status, ..) = self.call("DynamoDB_20120810.PutItem", &put).await?;
        ensure!(status == 200, "the put was answered {status}");
        Ok(())
    }
}

/// Measures the round trip of a put, and how many puts eight clients make in a second.
pub async fn measure(world: &World, count: usize) -> Result<(Spread, f64)> {
    let mut probe = Probe::connect(&world.aws.url(), &world.authority).await?;
    let mut times: Vec<Duration> = Vec::new();
    for n in 0..count {
        let begun = Instant::now();
        probe.put(&format!("probe-{n}")).await?;
        times.push(begun.elapsed());
    }
    let mut clients = JoinSet::new();
    let mut probes = Vec::new();
    for _ in 0..8 {
        probes.push(Probe::connect(&world.aws.url(), &world.authority).await?);
    }
    let begun = Instant::now();
    for (client, mut probe) in probes.into_iter().enumerate() {
        clients.spawn(async move {
            for n in 0..count {
                probe.put(&format!("probe-{client}-{n}")).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let per_second = number(u64::try_from(count * 8)?) / begun.elapsed().as_secs_f64();
    Ok((Spread::of_durations(&times), per_second))
}
