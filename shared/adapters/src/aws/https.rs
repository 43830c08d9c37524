//! Builds the HTTPS client of all AWS clients: rustls on ring, trusting the system's authorities and `AWS_CA_BUNDLE`.

use std::{fs, io, path::Path, sync::OnceLock};

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use thiserror::Error;

/// Says why the file that `AWS_CA_BUNDLE` names cannot be used.
#[derive(Debug, Error)]
pub enum CaBundleFault {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    File(#[from] io::Error),
    /// The file contains something other than certificates.
    #[error("it is not a list of certificates in PEM")]
    Content,
}

/// Returns the process's one HTTP client, so that all AWS clients share connections. The first call decides which
/// bundle is trusted besides the system's authorities. Connections live as long as the runtime that opened them.
pub fn http_client(ca_bundle: Option<&Path>) -> Result<SharedHttpClient, CaBundleFault> {
    static SHARED: OnceLock<SharedHttpClient> = OnceLock::new();
    let client = client(ca_bundle)?;
    Ok(SHARED.get_or_init(|| client).clone())
}

fn client(ca_bundle: Option<&Path>) -> Result<SharedHttpClient, CaBundleFault> {
    let mut trusted = TrustStore::default();
    if let Some(path) = ca_bundle {
        trusted = trusted.with_pem_certificate(certificates(path)?);
    }
    let context = TlsContext::builder().with_trust_store(trusted).build().map_err(|_| CaBundleFault::Content)?;
    Ok(Builder::new().tls_provider(Provider::rustls(CryptoMode::Ring)).tls_context(context).build_https())
}

/// Reads a file of PEM certificates. Each certificate is parsed here, because the HTTP client panics if it cannot parse
/// a certificate.
fn certificates(path: &Path) -> Result<Vec<u8>, CaBundleFault> {
    let pem = fs::read(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(|_| CaBundleFault::Content)?).map_err(|_| CaBundleFault::Content)?;
    }
    if roots.is_empty() { Err(CaBundleFault::Content) } else { Ok(pem) }
}

#[cfg(test)]
mod tests;
