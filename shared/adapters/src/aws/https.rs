//! HTTPS to AWS, on rustls and ring.
//!
//! Amazon's own authorities are compiled in: to read the system's is two thirds of what a function does before its first
//! request. They are trusted first, not alone, since Amazon supports no pinning and may have a new one one day: as soon as
//! a server shows a certificate that none of them vouches for, the system's are trusted as well.
//!
//! <https://www.amazontrust.com/repository/>

use std::{
    error::Error,
    fmt, fs, io,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use rustls::{
    CertificateError, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use thiserror::Error;
use tracing::warn;

/// Amazon Root CA 1 to 4, and Starfield Services Root Certificate Authority - G2.
const AMAZON: &str = include_str!("amazon-roots.pem");

/// Authorities that are trusted besides: what `AWS_CA_BUNDLE` names. AWS's own SDKs know it too, and trust nothing else then.
///
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html>
#[derive(Clone)]
pub struct CaBundle(Arc<[u8]>);

/// Why a bundle cannot be used.
#[derive(Debug, Error)]
pub enum CaBundleFault {
    /// The file.
    #[error("it cannot be read: {0}")]
    File(#[from] io::Error),
    /// What is in it.
    #[error("it is not a list of certificates in PEM")]
    Content,
}

impl CaBundle {
    /// Reads a file of certificates in PEM.
    pub fn read(path: &Path) -> Result<Self, CaBundleFault> {
        let pem = fs::read(path)?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|_| CaBundleFault::Content)?;
            roots.add(certificate).map_err(|_| CaBundleFault::Content)?;
        }
        if roots.is_empty() { Err(CaBundleFault::Content) } else { Ok(Self(pem.into())) }
    }
}

impl fmt::Debug for CaBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CaBundle(…)")
    }
}

/// The HTTP client of every AWS client here. One for a process, with the first bundle that is given, so that what one
/// client has connected to serves the others. Its connections live as long as the runtime that opened them.
pub fn http_client(bundle: Option<&CaBundle>) -> SharedHttpClient {
    static SHARED: OnceLock<SharedHttpClient> = OnceLock::new();
    let with = |store: TrustStore| match bundle {
        Some(CaBundle(pem)) => store.with_pem_certificate(pem.as_ref()),
        None => store,
    };
    let amazon = || with(TrustStore::empty().with_pem_certificate(AMAZON));
    let both = || with(TrustStore::default().with_pem_certificate(AMAZON));
    SHARED.get_or_init(|| SharedHttpClient::new(Https::new(amazon(), both()))).clone()
}

/// A client that trusts these first, and those once it must.
#[derive(Debug)]
struct Https {
    first: SharedHttpClient,
    /// Built when it is needed.
    then: OnceLock<SharedHttpClient>,
    then_trusted: TrustStore,
    /// Whether a server was not one of the first's.
    strange: Arc<AtomicBool>,
}

impl Https {
    fn new(first_trusted: TrustStore, then_trusted: TrustStore) -> Self {
        Self { first: client(first_trusted), then: OnceLock::new(), then_trusted, strange: Arc::default() }
    }
}

fn client(trusted: TrustStore) -> SharedHttpClient {
    let builder = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    match TlsContext::builder().with_trust_store(trusted).build() {
        Ok(context) => builder.tls_context(context).build_https(),
        // Never: nothing in building one fails.
        Err(_) => builder.build_https(),
    }
}

impl HttpClient for Https {
    /// Asked before each attempt, so that the one after the first that failed has the others.
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        if self.strange.load(Ordering::Relaxed) {
            let then = self.then.get_or_init(|| client(self.then_trusted.clone()));
            return then.http_connector(settings, components);
        }
        let connector = self.first.http_connector(settings, components);
        SharedHttpConnector::new(Watched { connector, strange: Arc::clone(&self.strange) })
    }
}

/// Notices a certificate that nobody trusted vouches for.
#[derive(Debug)]
struct Watched {
    connector: SharedHttpConnector,
    strange: Arc<AtomicBool>,
}

impl HttpConnector for Watched {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (answer, strange) = (self.connector.call(request), Arc::clone(&self.strange));
        HttpConnectorFuture::new(async move {
            let answer = answer.await;
            if let Err(fault) = &answer
                && is_of_strangers(fault)
                && !strange.swap(true, Ordering::Relaxed)
            {
                warn!("AWS showed a certificate of none of Amazon's authorities: the system's are trusted now as well");
            }
            answer
        })
    }
}

/// Whether what failed was a certificate by an unknown authority, or by one that only has the name of a known one: others
/// could know it. An `io::Error` has what it carries for no source of its own.
fn is_of_strangers(fault: &(dyn Error + 'static)) -> bool {
    let carried = fault.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let strangers = [CertificateError::UnknownIssuer, CertificateError::BadSignature];
    matches!(fault.downcast_ref(), Some(rustls::Error::InvalidCertificate(why)) if strangers.contains(why))
        || carried.is_some_and(|carried| is_of_strangers(carried))
        || fault.source().is_some_and(is_of_strangers)
}

#[cfg(test)]
mod tests;
