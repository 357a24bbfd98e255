//! Encrypted connections.
//!
//! The client crate takes certificates as files. Those that are given inside the configuration
//! are therefore put into files that only this user can read, for as long as the connection is
//! being made.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ::mysql::{ClientIdentity, SslOpts};

use crate::config::{Pem, TlsPlan};
use crate::error::{Error, Result, codes};

/// The client crate's options, and the files that they name.
pub(super) struct Tls {
    pub(super) opts: SslOpts,
    _files: Vec<TempFile>,
}

impl Tls {
    /// Without a CA any certificate is trusted, as DM does; with one its chain is verified but not
    /// the host name, because the certificates that servers make for themselves carry none.
    pub(super) fn new(plan: &TlsPlan) -> Result<Self> {
        if !plan.allowed_cn.is_empty() {
            return Err(Error::new(
                &codes::SOURCE_UNSUPPORTED,
                "cert-allowed-cn: the name in a database server's certificate cannot be checked",
            )
            .workaround("Remove cert-allowed-cn and give the server's CA with ssl-ca."));
        }
        let mut files = Vec::new();
        let mut opts = SslOpts::default().with_danger_skip_domain_validation(true);
        opts = match &plan.ca {
            Some(ca) => opts.with_root_cert_path(Some(path(ca, &mut files)?)),
            None => opts.with_danger_accept_invalid_certs(true),
        };
        if let (Some(cert), Some(key)) = (&plan.cert, &plan.key) {
            let cert = path(cert, &mut files)?;
            let key = path(key, &mut files)?;
            opts = opts.with_client_identity(Some(ClientIdentity::new(cert, key)));
        }
        Ok(Self { opts, _files: files })
    }
}

fn path(pem: &Pem, files: &mut Vec<TempFile>) -> Result<PathBuf> {
    match pem {
        Pem::Path(path) => {
            // The client crate's own message does not say which file is missing.
            File::open(path).map_err(|e| failed(path, e))?;
            Ok(path.clone())
        }
        Pem::Bytes(bytes) => {
            let file = TempFile::new(bytes)?;
            let path = file.0.clone();
            files.push(file);
            Ok(path)
        }
    }
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::new(&codes::DB_DRIVER, format!("the certificate file {} is not usable", path.display()))
        .cause(error)
}

struct TempFile(PathBuf);

impl TempFile {
    fn new(bytes: &[u8]) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name =
            format!("dm-pem-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(&path).map_err(|e| failed(&path, e))?;
        let this = Self(path);
        file.write_all(bytes).map_err(|e| failed(&this.0, e))?;
        Ok(this)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // Nothing to do about a file that cannot be removed; it is readable by this user only.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_bytes_live_in_a_private_file() {
        let mut files = Vec::new();
        let at = path(&Pem::Bytes(b"pem".to_vec()), &mut files).unwrap();
        assert_eq!(std::fs::read(&at).unwrap(), b"pem");
        drop(files);
        assert!(!at.exists());
    }

    #[test]
    fn a_missing_file_is_named() {
        let mut files = Vec::new();
        let e = path(&Pem::Path("/nonexistent/ca.pem".into()), &mut files).unwrap_err();
        assert!(e.message().contains("/nonexistent/ca.pem"));
    }
}
