//! Encrypted connections to source and target: which certificates are trusted, which are not, and
//! what a server gets from us. The certificates are made here by `openssl`, when it is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::dm::{Dm, Outcome};
use support::server::{Flavor, Server};
use support::{serial, skip, sql};

/// A certification authority and what it has signed, in a directory.
struct Authority {
    dir: tempfile::TempDir,
}

fn openssl(dir: &Path, args: &[&str]) -> bool {
    let mut command = Command::new("openssl");
    let status = command.args(args).current_dir(dir).stdout(Stdio::null()).stderr(Stdio::null());
    status.status().is_ok_and(|s| s.success())
}

impl Authority {
    /// `None` where there is no openssl.
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let made = openssl(
            dir.path(),
            &[
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "30",
                "-subj",
                "/CN=Test authority",
                "-keyout",
                "ca-key.pem",
                "-out",
                "ca.pem",
            ],
        );
        if !made {
            skip("encrypted connections", "there is no openssl");
        }
        made.then_some(Self { dir })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Signs `NAME.pem` with `NAME-key.pem`; `days` below zero is one that has ended.
    fn sign(&self, name: &str, days: i32) {
        let (key, request, cert) =
            (format!("{name}-key.pem"), format!("{name}.csr"), format!("{name}.pem"));
        let subject = format!("/CN={name}.example");
        let ext = "basicConstraints=CA:FALSE\nsubjectAltName=DNS:elsewhere.example\n";
        std::fs::write(self.file("ext.cnf"), ext).unwrap();
        let days = days.to_string();
        assert!(openssl(
            self.dir.path(),
            &[
                "req", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-keyout", &key, "-out",
                &request
            ]
        ));
        assert!(openssl(
            self.dir.path(),
            &[
                "x509",
                "-req",
                "-in",
                &request,
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca-key.pem",
                "-CAcreateserial",
                "-days",
                &days,
                "-extfile",
                "ext.cnf",
                "-out",
                &cert
            ]
        ));
        // A server of another user reads them.
        open_to_all(&self.file(&key));
        open_to_all(self.dir.path());
    }
}

#[cfg(unix)]
fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(not(unix))]
fn open_to_all(_path: &Path) {}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A task from a server to itself under another name, both ends with this `security`.
fn run(server: &Server, user: &str, security: &str) -> Outcome {
    let login = format!(
        "{{host: 127.0.0.1, port: {}, user: {user}, password: secret, security: {security}}}",
        server.port
    );
    let mut dm = Dm::new();
    dm.write(
        "task.yaml",
        &format!(
            "name: tls\ntask-mode: full\ntarget-database: {login}\nroutes: {{r: {{schema-pattern: tls_from, \
             target-schema: tls_to}}}}\nblock-allow-list: {{b: {{do-dbs: [tls_from]}}}}\nmysql-instances:\n- \
             {{source-id: s, route-rules: [r], block-allow-list: b}}\n"
        ),
    );
    dm.add_source("source.yaml", &format!("source-id: s\nfrom: {login}\n"));
    sql::run(&mut server.conn(), "DROP DATABASE IF EXISTS tls_to; DROP DATABASE IF EXISTS dm_meta");
    dm.run(&[])
}

fn arrives(server: &Server, user: &str, security: &str) {
    run(server, user, security).expect_success();
    assert_eq!(server.value::<u64>("SELECT COUNT(*) FROM tls_to.t"), 2, "{security}");
}

/// A server with this certificate, and users that must come encrypted.
fn start(authority: &Authority, flavor: Flavor, name: &str) -> Option<Server> {
    let option =
        |key: &str, file: String| format!("--ssl-{key}={}", authority.file(&file).display());
    let options = [
        option("ca", "ca.pem".to_owned()),
        option("cert", format!("{name}.pem")),
        option("key", format!("{name}-key.pem")),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let server = Server::start(&format!("tls-{name}-{}", flavor.word()), flavor, &options)?;
    server.run(
        "",
        "CREATE USER plain@'%' IDENTIFIED BY 'secret' REQUIRE SSL; GRANT ALL ON *.* TO plain@'%'; \
         CREATE USER known@'%' IDENTIFIED BY 'secret' REQUIRE X509; GRANT ALL ON *.* TO known@'%'; \
         CREATE DATABASE tls_from; CREATE TABLE tls_from.t (id INT PRIMARY KEY); \
         INSERT INTO tls_from.t VALUES (1), (2)",
    );
    Some(server)
}

fn certificates(flavor: Flavor) {
    let _one = serial();
    let (Some(authority), Some(other)) = (Authority::new(), Authority::new()) else { return };
    authority.sign("server", 30);
    authority.sign("ended", -1);
    authority.sign("client", 30);
    let Some(server) = start(&authority, flavor, "server") else { return };
    let path = |authority: &Authority, name: &str| authority.file(name).display().to_string();
    let (ca, cert, key) = (
        path(&authority, "ca.pem"),
        path(&authority, "client.pem"),
        path(&authority, "client-key.pem"),
    );

    // The CA alone: the chain is verified. The certificate is made out to another name: the name is
    // not looked at, as the documentation says.
    arrives(&server, "plain", &format!("{{ssl-ca: {ca}}}"));
    // Certificate and key alone: the server knows us, we trust any server.
    arrives(&server, "known", &format!("{{ssl-cert: {cert}, ssl-key: {key}}}"));
    // All three, as files, as texts, as base64.
    arrives(&server, "known", &format!("{{ssl-ca: {ca}, ssl-cert: {cert}, ssl-key: {key}}}"));
    let bytes = |name: &str| {
        let bytes: Vec<String> =
            text(&authority.file(name)).bytes().map(|b| b.to_string()).collect();
        format!("[{}]", bytes.join(","))
    };
    arrives(
        &server,
        "known",
        &format!(
            "{{ssl-ca-bytes: {}, ssl-cert-bytes: {}, ssl-key-bytes: {}}}",
            bytes("ca.pem"),
            bytes("client.pem"),
            bytes("client-key.pem")
        ),
    );
    let base64 = |name: &str| {
        assert!(openssl(authority.dir.path(), &["base64", "-A", "-in", name, "-out", "base64"]));
        text(&authority.file("base64"))
    };
    arrives(
        &server,
        "known",
        &format!(
            "{{ssl-ca-base64: \"{}\", ssl-cert-base64: \"{}\", ssl-key-base64: \"{}\"}}",
            base64("ca.pem"),
            base64("client.pem"),
            base64("client-key.pem")
        ),
    );

    // A server that the CA did not sign; no certificate where one is required; no encryption.
    let wrong = path(&other, "ca.pem");
    let refused = run(&server, "plain", &format!("{{ssl-ca: {wrong}}}"));
    refused.expect_failure(&["[code=11112:class=functional", "invalid peer certificate", "ssl-ca"]);
    run(&server, "known", &format!("{{ssl-ca: {ca}}}"))
        .expect_failure(&["Error 1045", "Workaround:"]);
    run(&server, "plain", "{}").expect_failure(&["Error 1045"]);
    run(&server, "plain", "{ssl-ca: /nonexistent/ca.pem}").expect_failure(&["/nonexistent/ca.pem"]);
    server.wipe();

    let Some(server) = start(&authority, flavor, "ended") else { return };
    let refused = run(&server, "plain", &format!("{{ssl-ca: {ca}}}"));
    refused.expect_failure(&["invalid peer certificate", "xpired", "Workaround:"]);
    server.wipe();
}

#[test]
fn certificates_are_verified_on_mysql() {
    certificates(Flavor::Mysql);
}

#[test]
fn certificates_are_verified_on_mariadb() {
    certificates(Flavor::Mariadb);
}
