//! Whether a server's certificate is trusted: the levels that the module above names.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use super::{certificate, certificates};
use crate::config::TlsPlan;
use crate::error::{Error, Result, codes};

/// Verifies by the plan.
#[derive(Debug)]
pub(super) struct Verifier {
    /// `None` trusts any certificate.
    trust: Option<Trust>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Trust {
    roots: RootCertStore,
    /// What `ssl-ca` holds, as it stands there.
    given: Vec<CertificateDer<'static>>,
    allowed_cn: Vec<String>,
    identity: bool,
}

/// A common name that is not allowed.
#[derive(Debug)]
pub(super) struct WrongCommonName {
    found: Option<String>,
    allowed: Vec<String>,
}

impl fmt::Display for WrongCommonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            Some(name) => write!(f, "the common name of the server's certificate is {name:?}")?,
            None => write!(f, "the server's certificate has no common name")?,
        }
        write!(f, "; cert-allowed-cn has {:?}", self.allowed)
    }
}

impl std::error::Error for WrongCommonName {}

impl Verifier {
    /// # Errors
    ///
    /// `ssl-ca` cannot be used.
    pub(super) fn new(plan: &TlsPlan, provider: Arc<CryptoProvider>) -> Result<Self> {
        let Some(ca) = &plan.ca else { return Ok(Self { trust: None, provider }) };
        let given = certificates("ssl-ca", ca)?;
        let mut roots = RootCertStore::empty();
        // A bundle of a whole system may hold one of a form that nobody uses; none at all is a
        // mistake.
        let (usable, _) = roots.add_parsable_certificates(given.iter().cloned());
        if usable == 0 {
            let why = "ssl-ca holds no certificate that can be an authority";
            return Err(Error::new(&codes::TLS_CONFIG, why));
        }
        let allowed_cn = plan.allowed_cn.iter().map(|n| n.trim().to_owned()).collect();
        let trust = Trust { roots, given, allowed_cn, identity: plan.verify_identity };
        Ok(Self { trust: Some(trust), provider })
    }
}

impl Trust {
    fn verify(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        now: UnixTime,
        provider: &CryptoProvider,
    ) -> Result<(), rustls::Error> {
        if self.given.iter().any(|given| given == shown) {
            // A certificate that signs itself is its own authority, and often says so, which the
            // library does not take from a server.
            within_its_time(shown, now)?;
        } else {
            let algorithms = provider.signature_verification_algorithms.all;
            let parsed = ParsedCertificate::try_from(shown)?;
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &self.roots,
                between,
                now,
                algorithms,
            )?;
        }
        if self.identity {
            verify_server_name(&ParsedCertificate::try_from(shown)?, host)?;
        }
        self.verify_common_name(shown)
    }

    fn verify_common_name(&self, shown: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        let found = certificate::common_name(shown);
        let allowed = |name: &String| self.allowed_cn.iter().any(|allowed| allowed == name.trim());
        if self.allowed_cn.is_empty() || found.as_ref().is_some_and(allowed) {
            return Ok(());
        }
        let wrong = WrongCommonName { found, allowed: self.allowed_cn.clone() };
        Err(rustls::Error::Other(OtherError(Arc::new(wrong))))
    }
}

fn within_its_time(shown: &[u8], now: UnixTime) -> Result<(), rustls::Error> {
    let (from, until) = certificate::validity(shown).ok_or(CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < from {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > until {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

type Verified = Result<HandshakeSignatureValid, rustls::Error>;

impl Verifier {
    /// Whether the certificate's owner signed the handshake.
    fn signed(&self, verify: impl FnOnce(&WebPkiSupportedAlgorithms) -> Verified) -> Verified {
        // Who shows a certificate that nobody looks at need not show that it is his.
        match &self.trust {
            None => Ok(HandshakeSignatureValid::assertion()),
            Some(_) => verify(&self.provider.signature_verification_algorithms),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(trust) = &self.trust {
            trust.verify(shown, between, host, now, &self.provider)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed(|known| verify_tls12_signature(message, cert, signature, known))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed(|known| verify_tls13_signature(message, cert, signature, known))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A failed handshake as an error of ours, with what helps.
pub(super) fn refused(error: &rustls::Error) -> Error {
    use CertificateError as C;
    let advice = match error {
        rustls::Error::InvalidCertificate(
            C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. },
        ) => "Renew the server's certificate, or set the clock of this host right.",
        rustls::Error::InvalidCertificate(
            C::NotValidForName | C::NotValidForNameContext { .. },
        ) => {
            "Give as `host` a name that the certificate has, or one to it that has the host; \
             without `ssl-verify-identity` the name is not looked at."
        }
        rustls::Error::InvalidCertificate(_) => {
            "Give with `ssl-ca` the authority that has signed the server's certificate, or the \
             certificate itself."
        }
        rustls::Error::Other(_) => {
            "See that this is the server that is meant, then add its name to `cert-allowed-cn`."
        }
        rustls::Error::AlertReceived(_) => {
            "The server ended it: see that it knows the authority of `ssl-cert`, and that it \
             speaks TLS 1.2 or later."
        }
        _ => "See that the server speaks TLS 1.2 or later.",
    };
    let failed = Error::new(&codes::TLS_CONFIG, "the encrypted connection was not made");
    let failed = match error {
        rustls::Error::Other(OtherError(wrong)) => failed.cause(wrong),
        other => failed.cause(other),
    };
    failed.workaround(advice)
}

#[cfg(test)]
mod tests {
    use super::super::certificate::tests::unsigned;
    use super::*;

    const UTF8: u8 = 0x0c;

    fn trust(given: Vec<Vec<u8>>, allowed: &[&str]) -> Trust {
        Trust {
            roots: RootCertStore::empty(),
            given: given.into_iter().map(CertificateDer::from).collect(),
            allowed_cn: allowed.iter().map(|n| (*n).to_owned()).collect(),
            identity: false,
        }
    }

    fn verify(trust: &Trust, cert: &[u8], seconds: u64) -> Result<(), rustls::Error> {
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let host = ServerName::try_from("db.example").unwrap();
        let cert = CertificateDer::from(cert.to_vec());
        trust.verify(&cert, &[], &host, now, &ring_provider())
    }

    fn ring_provider() -> CryptoProvider {
        rustls::crypto::ring::default_provider()
    }

    #[test]
    fn a_given_certificate_is_trusted_in_its_time() {
        let cert = unsigned(&[(UTF8, "db")], "700101000010Z", "700101000020Z");
        let given = trust(vec![cert.clone()], &[]);
        assert!(verify(&given, &cert, 10).is_ok() && verify(&given, &cert, 20).is_ok());
        let early = verify(&given, &cert, 9).unwrap_err();
        assert_eq!(early, CertificateError::NotValidYet.into());
        assert_eq!(verify(&given, &cert, 21).unwrap_err(), CertificateError::Expired.into());
        let other = unsigned(&[(UTF8, "db")], "700101000010Z", "700101000021Z");
        assert!(verify(&given, &other, 15).is_err());
    }

    #[test]
    fn only_allowed_common_names() {
        let cert = unsigned(&[(UTF8, "db")], "700101000010Z", "700101000020Z");
        assert!(verify(&trust(vec![cert.clone()], &["other", "db"]), &cert, 15).is_ok());
        let wrong = verify(&trust(vec![cert.clone()], &["DB"]), &cert, 15).unwrap_err();
        let told = refused(&wrong);
        assert!(told.to_string().contains("is \"db\"; cert-allowed-cn has [\"DB\"]"), "{told}");
        let nameless = unsigned(&[], "700101000010Z", "700101000020Z");
        let trust = trust(vec![nameless.clone()], &[""]);
        assert!(verify(&trust, &nameless, 15).is_err(), "no name is not the empty name");
    }
}
