//! Counts the bytes that arrive over TLS, before they are decrypted.
//!
//! reqwest gives no access to its sockets. The decrypter of a connection reads every TLS record first. A decrypter that
//! counts bytes can therefore end a connection of any protocol. Plain http, which only development uses, is not
//! counted.

use std::sync::LazyLock;

use rustls::{
    ConnectionTrafficSecrets, Error, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
    crypto::{
        CipherSuiteCommon, CryptoProvider,
        cipher::{
            AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter, MessageEncrypter,
            Tls12AeadAlgorithm, Tls13AeadAlgorithm, UnsupportedOperationError,
        },
        ring,
    },
};

use super::quota::{QUOTA, Quota};

/// Gives the size of the header before each TLS record, in bytes.
const RECORD_HEADER_BYTES: usize = 5;

/// Returns ring's algorithms. Their decrypters count against the [`QUOTA`] of the task that opens the connection.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider { cipher_suites: SUITES.clone(), ..ring::default_provider() }
}

/// Holds the cipher suites. They are made once and never freed, because rustls takes static references.
static SUITES: LazyLock<Vec<SupportedCipherSuite>> = LazyLock::new(|| {
    ring::DEFAULT_CIPHER_SUITES
        .iter()
        .map(|suite| match suite {
            SupportedCipherSuite::Tls13(suite) => SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: common(&suite.common),
                hkdf_provider: suite.hkdf_provider,
                aead_alg: Box::leak(Box::new(Counted(suite.aead_alg))),
                quic: None,
            }))),
            SupportedCipherSuite::Tls12(suite) => SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: common(&suite.common),
                prf_provider: suite.prf_provider,
                kx: suite.kx,
                sign: suite.sign,
                aead_alg: Box::leak(Box::new(Counted(suite.aead_alg))),
            }))),
        })
        .collect()
});

fn common(suite: &CipherSuiteCommon) -> CipherSuiteCommon {
    let CipherSuiteCommon { suite, hash_provider, confidentiality_limit } = *suite;
    CipherSuiteCommon { suite, hash_provider, confidentiality_limit }
}

struct Counted<A: ?Sized + 'static>(&'static A);

impl Tls13AeadAlgorithm for Counted<dyn Tls13AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        self.0.encrypter(key, iv)
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        CountingDecrypter::boxed(self.0.decrypter(key, iv))
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(&self, key: AeadKey, iv: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}

impl Tls12AeadAlgorithm for Counted<dyn Tls12AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        self.0.encrypter(key, iv, extra)
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        CountingDecrypter::boxed(self.0.decrypter(key, iv))
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.0.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv, explicit)
    }
}

struct CountingDecrypter {
    inner: Box<dyn MessageDecrypter>,
    /// Is absent if the server changed the keys on an open connection. The connection then ends. An honest server
    /// changes keys after millions of records, but a hostile server could change them at every second record.
    quota: Option<Quota>,
}

impl CountingDecrypter {
    fn boxed(inner: Box<dyn MessageDecrypter>) -> Box<dyn MessageDecrypter> {
        Box::new(Self { inner, quota: QUOTA.try_with(Clone::clone).ok() })
    }
}

impl MessageDecrypter for CountingDecrypter {
    fn decrypt<'a>(&mut self, record: InboundOpaqueMessage<'a>, seq: u64) -> Result<InboundPlainMessage<'a>, Error> {
        let bytes = RECORD_HEADER_BYTES + record.payload.len();
        if !self.quota.as_ref().is_some_and(|quota| quota.take(bytes)) {
            return Err(Error::General("the server sent too much".to_owned()));
        }
        self.inner.decrypt(record, seq)
    }
}

#[cfg(test)]
mod tests {
    use rustls::{ContentType, ProtocolVersion};

    use super::*;

    struct Plain;

    impl MessageDecrypter for Plain {
        fn decrypt<'a>(&mut self, record: InboundOpaqueMessage<'a>, _: u64) -> Result<InboundPlainMessage<'a>, Error> {
            Ok(record.into_plain_message())
        }
    }

    fn reads(decrypter: &mut dyn MessageDecrypter, bytes: usize) -> bool {
        let mut payload = vec![0; bytes];
        let record =
            InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_3, payload.as_mut_slice());
        decrypter.decrypt(record, 0).is_ok()
    }

    #[tokio::test]
    async fn every_record_takes_from_its_hosts_quota() {
        let quota = Quota::new();
        let mut decrypter = QUOTA.scope(quota.clone(), async { CountingDecrypter::boxed(Box::new(Plain)) }).await;
        assert!(reads(&mut *decrypter, 100) && reads(&mut *decrypter, 0));
        assert_eq!(quota.taken(), 110);
        assert!(!reads(&mut *decrypter, 1 << 20));
    }

    #[test]
    fn keys_changed_on_an_open_connection_read_nothing() {
        assert!(!reads(&mut *CountingDecrypter::boxed(Box::new(Plain)), 1));
    }
}
