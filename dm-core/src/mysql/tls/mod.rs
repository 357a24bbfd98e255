//! Encrypted connections.
//!
//! The client crate would trust the public authorities beside the one that is given, looks at no
//! common name, and takes certificates as files only. So it never sees TLS: [`relay`] owns the
//! socket to the server, encrypts, and hands the crate a local socket with plain packets.
//!
//! Four levels of verification, each of which includes those before it:
//!
//! 1. `security` without `ssl-ca`: encrypted, and any certificate is taken, as DM does. Who can
//!    put himself in between reads everything, the password included.
//! 2. `ssl-ca`: the certificate is signed by that authority (by no other, the public ones neither),
//!    made out for servers, and within its time; or it is itself what `ssl-ca` holds. The name in
//!    it is not compared with the host: the certificates that servers make for themselves carry
//!    none. That is DM's meaning, and `VERIFY_CA` of MySQL's clients.
//! 3. `cert-allowed-cn`: the common name of its subject is one of these. DM is content with the
//!    name of any certificate of the chain, that of the authority included; that would say nothing
//!    about the server.
//! 4. `ssl-verify-identity` (ours): the host that is connected to is one of the names of its
//!    subjectAltName; `VERIFY_IDENTITY` of MySQL's clients.
//!
//! Files are read at every connect, so certificates can be changed under a running task.

mod certificate;
mod login;
#[cfg(unix)]
mod relay;
#[cfg(not(unix))]
#[path = "no_relay.rs"]
mod relay;
mod serve;
mod verify;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use self::verify::Verifier;
use crate::config::{Pem, TlsPlan};
use crate::error::{Error, Result, codes};

pub(super) use relay::Relay;
pub use serve::{TlsServer, TlsStream};

/// What the TLS library has to know, read afresh.
///
/// # Errors
///
/// A file that cannot be read, a text that is no certificate or key, a pair that does not belong
/// together. No message holds anything of a key.
fn client_config(plan: &TlsPlan) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(plan, Arc::clone(&provider))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(&codes::TLS_CONFIG, "no version of TLS is there").cause(e))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match (&plan.cert, &plan.key) {
        (Some(cert), Some(key)) => {
            let (chain, key) = (certificates("ssl-cert", cert)?, private_key("ssl-key", key)?);
            builder.with_client_auth_cert(chain, key).map_err(|e| {
                Error::new(&codes::TLS_CONFIG, "ssl-cert and ssl-key do not go together").cause(e)
            })?
        }
        _ => builder.with_no_client_auth(),
    };
    // Each connection shows what the files hold now; a resumed one would not.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// The certificates of a PEM text in their order, or the one that is the text (DER); never none.
fn certificates(key: &str, pem: &Pem) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = bytes(key, pem)?;
    let listed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let mut listed = listed.map_err(|e| unusable(key, pem, "it is damaged").cause(e))?;
    if listed.is_empty() && certificate::is_certificate(&bytes) {
        listed.push(CertificateDer::from(bytes));
    }
    if listed.is_empty() {
        return Err(unusable(key, pem, "there is no certificate in it"));
    }
    Ok(listed)
}

/// The first private key of a PEM text, or the one that is the text (DER).
fn private_key(key: &str, pem: &Pem) -> Result<PrivateKeyDer<'static>> {
    let bytes = bytes(key, pem)?;
    if let Ok(key) = PrivateKeyDer::from_pem_slice(&bytes) {
        return Ok(key);
    }
    // What the library says of a key that it cannot read is not told: it might quote it.
    PrivateKeyDer::try_from(bytes)
        .map_err(|_| unusable(key, pem, "there is no private key without a passphrase in it"))
}

fn bytes(key: &str, pem: &Pem) -> Result<Vec<u8>> {
    match pem {
        Pem::Path(path) => {
            std::fs::read(path).map_err(|e| unusable(key, pem, "it cannot be read").cause(e))
        }
        Pem::Bytes(bytes) => Ok(bytes.clone()),
    }
}

fn unusable(key: &str, pem: &Pem, why: &str) -> Error {
    let which = match pem {
        Pem::Path(path) => format!("{key}: {}: {why}", path.display()),
        Pem::Bytes(_) => format!("{key}, given in the configuration: {why}"),
    };
    Error::new(&codes::TLS_CONFIG, which)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_told() {
        let e = certificates("ssl-ca", &Pem::Path("/nonexistent/ca.pem".into())).unwrap_err();
        assert!(e.message().contains("ssl-ca: /nonexistent/ca.pem"), "{e}");
        assert_eq!(e.code().number, 11112);
        let e = certificates("ssl-ca", &Pem::Bytes(b"not a certificate".to_vec())).unwrap_err();
        assert!(e.message().contains("there is no certificate in it"), "{e}");
        let cut = b"-----BEGIN CERTIFICATE-----\nMIIB\n".to_vec();
        assert!(certificates("ssl-ca", &Pem::Bytes(cut)).is_err());
    }

    #[test]
    fn nothing_of_a_key_is_told() {
        let secret = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE";
        let e = private_key("ssl-key", &Pem::Bytes(secret.as_bytes().to_vec())).unwrap_err();
        assert!(!format!("{e} {e:?}").contains("c2VjcmV0"), "{e}");
    }
}
