//! Where a run answers over HTTP, and whom.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::{Value, json};

/// Where a run answers over HTTP, and whom.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct HttpArgs {
    /// Serve metrics, status, a page and DM's read-only API at this address, such as
    /// 127.0.0.1:8262. Other than loopback addresses need --http-cert or --http-token-file.
    #[arg(long = "http", value_name = "ADDR")]
    pub address: Option<SocketAddr>,

    /// File with a token that every request to --http has to carry (`Authorization: Bearer ...`).
    #[arg(long = "http-token-file", value_name = "FILE", requires = "address")]
    pub token_file: Option<PathBuf>,

    /// Answer over TLS only, with the certificate of this file (PEM, its own first) and the key of
    /// --http-key. Both are read again for every connection.
    #[arg(long = "http-cert", value_name = "FILE", requires_all = ["address", "key"])]
    pub cert: Option<PathBuf>,

    /// The private key of --http-cert, without a passphrase.
    #[arg(long = "http-key", value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,

    /// Answer only who shows a certificate that is signed by an authority of this file.
    #[arg(long = "http-ca", value_name = "FILE", requires = "cert")]
    pub ca: Option<PathBuf>,
}

impl HttpArgs {
    /// The same with paths that do not depend on where the process stands.
    pub fn absolute(&self) -> Self {
        let one = |path: &Option<PathBuf>| {
            path.as_ref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()))
        };
        Self {
            address: self.address,
            token_file: one(&self.token_file),
            cert: one(&self.cert),
            key: one(&self.key),
            ca: one(&self.ca),
        }
    }

    /// The form that is kept with a task, and passed on to its process: addresses and paths, no secret.
    pub fn to_json(&self) -> Value {
        json!({
            "address": self.address.map(|address| address.to_string()),
            "tokenFile": self.token_file,
            "cert": self.cert,
            "key": self.key,
            "ca": self.ca,
        })
    }

    /// Reads what [`HttpArgs::to_json`] wrote; what is missing counts as not given.
    pub fn from_json(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        Self {
            address: text("address").and_then(|address| address.parse().ok()),
            token_file: text("tokenFile").map(PathBuf::from),
            cert: text("cert").map(PathBuf::from),
            key: text("key").map(PathBuf::from),
            ca: text("ca").map(PathBuf::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let whole = HttpArgs {
            address: "[::1]:8262".parse().ok(),
            token_file: Some("/etc/dm/token".into()),
            cert: Some("/etc/dm/cert.pem".into()),
            key: Some("/etc/dm/key.pem".into()),
            ca: Some("/etc/dm/ca.pem".into()),
        };
        for args in [whole, HttpArgs::default()] {
            let back = HttpArgs::from_json(&args.to_json());
            assert_eq!(format!("{back:?}"), format!("{args:?}"));
        }
    }
}
