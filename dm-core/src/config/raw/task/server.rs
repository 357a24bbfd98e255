//! A server and how to log in to it, as typed.
use std::collections::BTreeMap;

use crate::config::Secret;
use crate::config::raw::View;
/// A server, in `target-database` and in `from`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawServer {
    /// `host`.
    pub host: String,
    /// `port`.
    pub port: Option<u64>,
    /// `user`.
    pub user: String,
    /// `password`, `password-file`.
    pub password: RawPassword,
    /// `max-allowed-packet`.
    pub max_allowed_packet: Option<u64>,
    /// `session`.
    pub session: BTreeMap<String, String>,
    /// `security`.
    pub security: Option<RawSecurity>,
}

/// Where a password is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawPassword {
    /// `password` as typed.
    pub text: Option<Secret>,
    /// `password-file` (ours).
    pub file: Option<String>,
}

/// `security`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RawSecurity {
    /// `ssl-ca`.
    pub ssl_ca: Option<String>,
    /// `ssl-cert`.
    pub ssl_cert: Option<String>,
    /// `ssl-key`.
    pub ssl_key: Option<String>,
    /// `cert-allowed-cn`.
    pub cert_allowed_cn: Vec<String>,
    /// `ssl-verify-identity` (ours).
    pub ssl_verify_identity: bool,
    /// `ssl-ca-bytes`.
    pub ssl_ca_bytes: Option<Vec<u8>>,
    /// `ssl-cert-bytes`.
    pub ssl_cert_bytes: Option<Vec<u8>>,
    /// `ssl-key-bytes`.
    pub ssl_key_bytes: Option<Vec<u8>>,
    /// `ssl-ca-base64`.
    pub ssl_ca_base64: Option<String>,
    /// `ssl-cert-base64`.
    pub ssl_cert_base64: Option<String>,
    /// `ssl-key-base64`.
    pub ssl_key_base64: Option<String>,
}

impl std::fmt::Debug for RawSecurity {
    /// Paths only: what is given as bytes may be a private key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawSecurity")
            .field("ssl_ca", &self.ssl_ca)
            .field("ssl_cert", &self.ssl_cert)
            .field("ssl_key", &self.ssl_key)
            .field("cert_allowed_cn", &self.cert_allowed_cn)
            .field("ssl_verify_identity", &self.ssl_verify_identity)
            .finish_non_exhaustive()
    }
}

impl RawServer {
    pub(in crate::config) fn read(v: View<'_>) -> Self {
        Self {
            host: v.get("host").text().unwrap_or_default(),
            port: v.get("port").uint(),
            user: v.get("user").text().unwrap_or_default(),
            password: RawPassword {
                text: v.get("password").text().map(Secret::new),
                file: v.get("password-file").text(),
            },
            max_allowed_packet: v.get("max-allowed-packet").uint(),
            session: v.get("session").text_map(),
            security: v.get("security").one(|v| RawSecurity {
                ssl_ca: v.get("ssl-ca").text(),
                ssl_cert: v.get("ssl-cert").text(),
                ssl_key: v.get("ssl-key").text(),
                cert_allowed_cn: v.get("cert-allowed-cn").texts(),
                ssl_verify_identity: v.get("ssl-verify-identity").bool().unwrap_or(false),
                ssl_ca_bytes: v.get("ssl-ca-bytes").bytes(),
                ssl_cert_bytes: v.get("ssl-cert-bytes").bytes(),
                ssl_key_bytes: v.get("ssl-key-bytes").bytes(),
                ssl_ca_base64: v.get("ssl-ca-base64").text(),
                ssl_cert_base64: v.get("ssl-cert-base64").text(),
                ssl_key_base64: v.get("ssl-key-base64").text(),
            }),
        }
    }
}
