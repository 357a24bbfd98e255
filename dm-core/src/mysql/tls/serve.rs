//! TLS for those who ask us: the other side of what the rest of this module does.
//!
//! The files are read for every connection, so that a renewed certificate is shown at once. While they are
//! replaced they may not go together for a moment: then the last ones that did are shown.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::{certificates, private_key};
use crate::config::Pem;
use crate::error::{Error, Result, codes};

/// The first byte of whoever begins to speak TLS: a record of the handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// Shows a certificate to those who connect, and may want one of theirs.
#[derive(Debug)]
pub struct TlsServer {
    files: Files,
    shown: Mutex<Shown>,
}

#[derive(Debug)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
    clients: Option<PathBuf>,
}

/// What the files held when they were read last.
#[derive(Debug)]
struct Shown {
    texts: [Vec<u8>; 3],
    config: Arc<ServerConfig>,
    /// What the files hold now cannot be used, and that was said.
    told: bool,
}

/// An encrypted connection over some stream of bytes.
pub struct TlsStream<S: Read + Write>(StreamOwned<ServerConnection, S>);

impl TlsServer {
    /// One that shows the certificates of `cert`, its own first, and signs with `key`. With `clients`
    /// only those are served who show a certificate that is signed by one of that file.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, a text that is no certificate or key, a pair that does not go together.
    pub fn new(cert: &Path, key: &Path, clients: Option<&Path>) -> Result<Self> {
        let files = Files {
            cert: cert.to_owned(),
            key: key.to_owned(),
            clients: clients.map(Path::to_owned),
        };
        let texts = files.read()?;
        let config = files.config()?;
        Ok(Self { files, shown: Mutex::new(Shown { texts, config, told: false }) })
    }

    /// True when these are the first bytes of a connection that speaks TLS.
    pub fn is_spoken(first: &[u8]) -> bool {
        first.first() == Some(&HANDSHAKE)
    }

    /// Encrypts a connection that somebody has made. The handshake is made with the first read.
    ///
    /// # Errors
    ///
    /// The TLS library has no connection to give.
    pub fn accept<S: Read + Write>(&self, socket: S) -> Result<TlsStream<S>> {
        let connection = ServerConnection::new(self.config()).map_err(|e| {
            Error::new(&codes::TLS_CONFIG, "a connection cannot be encrypted").cause(e)
        })?;
        Ok(TlsStream(StreamOwned::new(connection, socket)))
    }

    /// What is shown now.
    fn config(&self) -> Arc<ServerConfig> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match self.files.read() {
            Ok(texts) if texts == shown.texts => {}
            Ok(texts) => match self.files.config() {
                Ok(config) => *shown = Shown { texts, config, told: false },
                Err(error) => tell(&mut shown, &error),
            },
            Err(error) => tell(&mut shown, &error),
        }
        Arc::clone(&shown.config)
    }
}

fn tell(shown: &mut Shown, error: &Error) {
    if !shown.told {
        log::warn!("the certificate that was read before is shown on: {error}");
        shown.told = true;
    }
}

impl Files {
    fn read(&self) -> Result<[Vec<u8>; 3]> {
        let bytes = |path: &Path| {
            fs::read(path).map_err(|e| {
                let text = format!("{} cannot be read", path.display());
                Error::new(&codes::TLS_CONFIG, text).cause(e)
            })
        };
        let clients = self.clients.as_deref().map(bytes).transpose()?;
        Ok([bytes(&self.cert)?, bytes(&self.key)?, clients.unwrap_or_default()])
    }

    fn config(&self) -> Result<Arc<ServerConfig>> {
        let pem = |path: &PathBuf| Pem::Path(path.clone());
        let chain = certificates("the certificate", &pem(&self.cert))?;
        let key = private_key("the key", &pem(&self.key))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::new(&codes::TLS_CONFIG, "no version of TLS is there").cause(e))?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                let given = certificates("the authority of clients", &pem(path))?;
                roots.add_parsable_certificates(given);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().map_err(|e| {
                    let text = format!("{} holds no authority", path.display());
                    Error::new(&codes::TLS_CONFIG, text).cause(e)
                })?)
            }
        };
        let config = builder.with_single_cert(chain, key).map_err(|e| {
            let (cert, key) = (self.cert.display(), self.key.display());
            let text = format!("the certificate {cert} and the key {key} do not go together");
            Error::new(&codes::TLS_CONFIG, text).cause(e)
        })?;
        Ok(Arc::new(config))
    }
}

impl<S: Read + Write> TlsStream<S> {
    /// Says that nothing more comes.
    ///
    /// # Errors
    ///
    /// The peer is gone.
    pub fn finish(&mut self) -> io::Result<()> {
        self.0.conn.send_close_notify();
        self.0.flush()
    }
}

impl<S: Read + Write> Read for TlsStream<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl<S: Read + Write> Write for TlsStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_shown_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let missing = TlsServer::new(&path("cert.pem"), &path("key.pem"), None).unwrap_err();
        assert!(missing.message().contains("cert.pem cannot be read"), "{missing}");
        fs::write(path("cert.pem"), "rubbish").unwrap();
        fs::write(path("key.pem"), "secret").unwrap();
        let rubbish = TlsServer::new(&path("cert.pem"), &path("key.pem"), None).unwrap_err();
        assert_eq!(rubbish.code(), &codes::TLS_CONFIG);
        assert!(!format!("{rubbish} {rubbish:?}").contains("secret"), "{rubbish}");
    }

    #[test]
    fn tls_is_told_from_http() {
        assert!(TlsServer::is_spoken(&[22, 3, 1]));
        assert!(!TlsServer::is_spoken(b"GET / HTTP/1.1\r\n") && !TlsServer::is_spoken(b""));
    }
}
