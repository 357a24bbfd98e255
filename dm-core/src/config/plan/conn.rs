//! How a server is reached.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::config::Secret;

/// A server that speaks MySQL's protocol, and how to talk to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnPlan {
    /// `host`: a name or an address.
    pub host: String,
    /// `port`.
    pub port: u16,
    /// `user`.
    pub user: String,
    /// `password`, decrypted.
    pub password: Secret,
    /// `session`: variables to set on every connection that writes, in the order of names.
    pub session: BTreeMap<String, String>,
    /// `max-allowed-packet`: upper bound of a statement in bytes; `None` takes the server's.
    pub max_allowed_packet: Option<u64>,
    /// `security`; `None` is a connection in clear text.
    pub tls: Option<TlsPlan>,
}

impl ConnPlan {
    /// A server in clear text, with the server's own limits.
    pub fn new(
        host: impl Into<String>,
        port: u16,
        user: impl Into<String>,
        password: Secret,
    ) -> Self {
        Self {
            host: host.into(),
            port,
            user: user.into(),
            password,
            session: BTreeMap::new(),
            max_allowed_packet: None,
            tls: None,
        }
    }

    /// `host:port`, as messages name the server.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// `security`: an encrypted connection.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TlsPlan {
    /// `ssl-ca*`: whom to trust, and nobody else; `None` trusts any certificate.
    pub ca: Option<Pem>,
    /// `ssl-cert*`: our certificate.
    pub cert: Option<Pem>,
    /// `ssl-key*`: its key.
    pub key: Option<Pem>,
    /// `cert-allowed-cn`: common names that the server's certificate may carry; empty for any.
    pub allowed_cn: Vec<String>,
    /// `ssl-verify-identity` (ours): the server's certificate has to name the host.
    pub verify_identity: bool,
}

/// A PEM document.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// In a file, read when a connection is made.
    Path(PathBuf),
    /// Given in the configuration.
    Bytes(Vec<u8>),
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "Path({})", path.display()),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
        }
    }
}
