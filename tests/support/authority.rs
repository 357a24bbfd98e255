//! A certification authority of the tests, made by `openssl`, when it is there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::skip;

/// A certification authority and what it has signed, in a directory.
#[derive(Debug)]
pub struct Authority {
    dir: tempfile::TempDir,
}

impl Authority {
    /// `None` where there is no openssl.
    pub fn new() -> Option<Self> {
        let this = Self { dir: tempfile::tempdir().expect("a directory") };
        let subject = ["-nodes", "-days", "30", "-subj", "/CN=Test authority"];
        let asked = ["req", "-x509", "-newkey", "rsa:2048", "-keyout", "ca-key.pem"];
        let made = this.openssl(&[&asked[..], &subject, &["-out", "ca.pem"]].concat());
        if !made {
            skip("encrypted connections", "there is no openssl");
        }
        made.then_some(this)
    }

    /// Runs `openssl` in the directory; true when it went well.
    pub fn openssl(&self, args: &[&str]) -> bool {
        let mut command = Command::new("openssl");
        command.args(args).current_dir(self.dir.path());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|s| s.success())
    }

    /// A file of the directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same, as an argument.
    pub fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// Signs `NAME.pem` with `NAME-key.pem`; `days` below zero is one that has ended.
    pub fn sign(&self, name: &str, days: i32) {
        let (key, request, cert) =
            (format!("{name}-key.pem"), format!("{name}.csr"), format!("{name}.pem"));
        let subject = format!("/CN={name}.example");
        let ext = "basicConstraints=CA:FALSE\nsubjectAltName=DNS:elsewhere.example,DNS:localhost\n";
        std::fs::write(self.file("ext.cnf"), ext).expect("a file of our own");
        let days = days.to_string();
        let asked = ["req", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-keyout", &key];
        assert!(self.openssl(&[&asked[..], &["-out", &request]].concat()));
        let signed = ["x509", "-req", "-in", &request, "-CA", "ca.pem", "-CAkey", "ca-key.pem"];
        let more = ["-CAcreateserial", "-days", &days, "-extfile", "ext.cnf", "-out", &cert];
        assert!(self.openssl(&[&signed[..], &more[..]].concat()));
        // A server of another user reads them.
        open_to_all(&self.file(&key));
        open_to_all(&self.file("ca-key.pem"));
        open_to_all(self.dir.path());
    }

    /// The options of a server that shows `NAME.pem`.
    pub fn server_options(&self, name: &str) -> [String; 3] {
        let option = |key: &str, file: &str| format!("--ssl-{key}={}", self.path(file));
        let (cert, key) = (format!("{name}.pem"), format!("{name}-key.pem"));
        [option("ca", "ca.pem"), option("cert", &cert), option("key", &key)]
    }

    /// Puts a certificate and key in the place of those that a server reads.
    pub fn put(&self, cert: &Path, key: &Path) {
        std::fs::copy(cert, self.file("server.pem")).expect("a file of our own");
        std::fs::copy(key, self.file("server-key.pem")).expect("a file of our own");
    }

    /// Sends a request over TLS to a server that must show a certificate for `localhost` of this
    /// authority; all that comes back, nothing when the connection was not made. `more`: arguments of
    /// `openssl s_client`.
    pub fn ask(&self, place: &str, more: &[&str], request: &str) -> String {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", place, "-CAfile", "ca.pem", "-quiet"]);
        command.args(["-verify_return_error", "-verify_hostname", "localhost"]).args(more);
        command.current_dir(self.dir.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("openssl, which made the certificates");
        if let Some(mut stdin) = child.stdin.take() {
            // Whoever refuses the certificate does not read it.
            let _ = stdin.write_all(request.as_bytes());
        }
        let output = child.wait_with_output().expect("its output");
        String::from_utf8(output.stdout).expect("a text")
    }
}

#[cfg(unix)]
fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("our own file");
}

#[cfg(not(unix))]
fn open_to_all(_path: &Path) {}
