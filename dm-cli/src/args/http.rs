//! Where a run answers over HTTP, and whom.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args as ClapArgs;

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
