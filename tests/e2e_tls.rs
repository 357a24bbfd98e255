//! Encrypted connections to source and target: which certificates are trusted, which are not, and
//! what a server gets from us. The certificates are made here by `openssl`, when it is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::path::Path;

use mysql::prelude::Queryable;
use support::authority::Authority;
use support::dm::{DEADLINE, Dm, Outcome};
use support::server::{Flavor, Server};
use support::{serial, sql, wait};

/// The running server shows another authority's certificate from now on.
fn change(authority: &Authority, server: &Server, other: &Authority) {
    authority.put(&other.file("server.pem"), &other.file("server-key.pem"));
    if server.flavor.is_mysql() {
        let ca = other.file("ca.pem");
        server.run("", &format!("SET GLOBAL ssl_ca = {}", sql::text(&ca.to_string_lossy())));
        server.run("", "ALTER INSTANCE RELOAD TLS");
    } else {
        server.run("", "FLUSH SSL");
    }
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A task from a server to itself under another name, both ends with this `security`.
fn run(server: &Server, user: &str, security: &str) -> Outcome {
    run_at(server, "127.0.0.1", user, security)
}

fn run_at(server: &Server, host: &str, user: &str, security: &str) -> Outcome {
    sql::run(&mut server.conn(), "DROP DATABASE IF EXISTS tls_to; DROP DATABASE IF EXISTS dm_meta");
    task(server, host, user, "full", security).run(&[])
}

fn task(server: &Server, host: &str, user: &str, mode: &str, security: &str) -> Dm {
    let login = format!(
        "{{host: {host}, port: {}, user: {user}, password: secret, security: {security}}}",
        server.port
    );
    let mut dm = Dm::new();
    dm.write(
        "task.yaml",
        &format!(
            "name: tls\ntask-mode: {mode}\ntarget-database: {login}\nroutes: {{r: {{schema-pattern: tls_from, \
             target-schema: tls_to}}}}\nblock-allow-list: {{b: {{do-dbs: [tls_from]}}}}\nmysql-instances:\n- \
             {{source-id: s, route-rules: [r], block-allow-list: b}}\n"
        ),
    );
    dm.add_source("source.yaml", &format!("source-id: s\nfrom: {login}\n"));
    dm
}

fn arrives(server: &Server, user: &str, security: &str) {
    run(server, user, security).expect_success();
    assert_eq!(server.value::<u64>("SELECT COUNT(*) FROM tls_to.t"), 2, "{security}");
}

/// A server with this certificate, and users that must come encrypted.
fn start(authority: &Authority, flavor: Flavor, name: &str) -> Option<Server> {
    let options = authority.server_options(name);
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
    let (ca, cert, key) =
        (authority.path("ca.pem"), authority.path("client.pem"), authority.path("client-key.pem"));

    // The CA alone: the chain is verified, the name is not looked at.
    arrives(&server, "plain", &format!("{{ssl-ca: {ca}}}"));
    names(&server, &ca);
    // Certificate and key alone: the server knows us, we trust any server.
    arrives(&server, "known", &format!("{{ssl-cert: {cert}, ssl-key: {key}}}"));
    // All three, as files, as texts, as base64.
    arrives(&server, "known", &format!("{{ssl-ca: {ca}, ssl-cert: {cert}, ssl-key: {key}}}"));
    let bytes = |name: &str| {
        let bytes: Vec<String> =
            text(&authority.file(name)).bytes().map(|b| b.to_string()).collect();
        format!("[{}]", bytes.join(",\n  "))
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
        assert!(authority.openssl(&["base64", "-A", "-in", name, "-out", "base64"]));
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
    let wrong = other.path("ca.pem");
    let refused = run(&server, "plain", &format!("{{ssl-ca: {wrong}}}"));
    refused.expect_failure(&["[code=11112:class=functional", "invalid peer certificate", "ssl-ca"]);
    run(&server, "known", &format!("{{ssl-ca: {ca}}}"))
        .expect_failure(&["Error 1045", "Workaround:"]);
    run(&server, "plain", "{}").expect_failure(&["Error 1045"]);
    run(&server, "plain", "{ssl-ca: /nonexistent/ca.pem}").expect_failure(&["/nonexistent/ca.pem"]);
    run(&server, "known", &format!("{{ssl-cert: {cert}, ssl-key: {}}}", other.path("ca-key.pem")))
        .expect_failure(&["[code=11112:", "ssl-cert and ssl-key do not go together"]);

    // A certificate that has ended.
    authority.put(&authority.file("ended.pem"), &authority.file("ended-key.pem"));
    server.stop();
    server.restart();
    let refused = run(&server, "plain", &format!("{{ssl-ca: {ca}}}"));
    refused.expect_failure(&["invalid peer certificate", "xpired", "Workaround:", "the clock"]);
    // One that has signed itself: trusted when it is the one that is given, and only then.
    authority.put(&other.file("ca.pem"), &other.file("ca-key.pem"));
    server.stop();
    server.restart();
    arrives(&server, "plain", &format!("{{ssl-ca: {wrong}}}"));
    run(&server, "plain", &format!("{{ssl-ca: {ca}}}")).expect_code(11112);
    server.wipe();
}

/// The names in the certificate: `server.example` as common name, `localhost` among the others.
fn names(server: &Server, ca: &str) {
    let with = |more: &str| format!("{{ssl-ca: {ca}, {more}}}");
    arrives(server, "plain", &with("cert-allowed-cn: [other.example, server.example]"));
    let refused = run(server, "plain", &with("cert-allowed-cn: [other.example]"));
    refused.expect_failure(&[
        "[code=11112:class=functional",
        "is \"server.example\"; cert-allowed-cn has [\"other.example\"]",
    ]);
    // The authority's name says nothing about the server.
    run(server, "plain", &with("cert-allowed-cn: [Test authority]")).expect_failure(&["11112"]);
    run(server, "plain", "{cert-allowed-cn: [server.example]}")
        .expect_failure(&["cert-allowed-cn", "there is no `ssl-ca`"]);

    let identity = with("ssl-verify-identity: true");
    let host = |name: &str| run_at(server, name, "plain", &identity);
    host("localhost").expect_success();
    host("127.0.0.1").expect_failure(&[
        "[code=11112:class=functional",
        "not valid for name \"127.0.0.1\"",
        "`ssl-verify-identity`",
    ]);
}

#[test]
fn certificates_are_verified_on_mysql() {
    certificates(Flavor::Mysql);
}

#[test]
fn certificates_are_verified_on_mariadb() {
    certificates(Flavor::Mariadb);
}

/// One run under change: large rows in both directions, connections that are killed, and an
/// authority that is replaced while the task runs.
fn stays(flavor: Flavor) {
    let _one = serial();
    let (Some(authority), Some(other)) = (Authority::new(), Authority::new()) else { return };
    authority.sign("server", 30);
    other.sign("server", 30);
    let Some(server) = start(&authority, flavor, "server") else { return };
    server.run(
        "",
        "SET GLOBAL max_allowed_packet = 67108864; \
         CREATE TABLE tls_from.big (id INT PRIMARY KEY, v LONGTEXT)",
    );
    // Longer than a packet of the protocol can be.
    let big = "INSERT INTO tls_from.big SELECT COUNT(*) + 1, REPEAT('0123456789abcdef', 1100000) FROM \
               tls_from.big";
    server.run("", big);
    let ca = authority.file("trusted.pem");
    std::fs::copy(authority.file("ca.pem"), &ca).unwrap();
    let dm = task(&server, "localhost", "plain", "all", &format!("{{ssl-ca: {}}}", ca.display()));
    let mut process = dm.start(&[]);
    let id = process.id();
    let mut until = |what: &str, asked: &str| {
        wait::until(what, DEADLINE, || {
            process.must_run();
            server
                .try_conn()
                .is_ok_and(|mut c| c.query_first::<u64, _>(asked).is_ok_and(|n| n == Some(1)))
        });
    };
    let equal = |id: u32| {
        format!(
            "SELECT COUNT(*) FROM tls_from.big a JOIN tls_to.big b USING (id, v) WHERE id = {id}"
        )
    };
    until("the copy is there", &equal(1));
    server.run("", big);
    until("the stream is there", &equal(2));

    // Another authority from now on; what the running connections know is not enough for the next.
    std::fs::copy(other.file("ca.pem"), &ca).unwrap();
    change(&authority, &server, &other);
    let connections: Vec<u64> =
        server.rows("SELECT id FROM information_schema.processlist WHERE user = 'plain'");
    assert!(connections.len() > 2, "{connections:?}");
    for id in connections {
        // One that has ended meanwhile is no matter.
        let _ = sql::try_run(&mut server.conn(), &format!("KILL {id}"));
    }
    server.run("", "INSERT INTO tls_from.t VALUES (3)");
    until("new connections were made", "SELECT COUNT(*) FROM tls_to.t WHERE id = 3");
    process.interrupt();
    process.wait(DEADLINE).expect_success();
    let left = std::fs::read_dir(std::env::temp_dir()).unwrap().filter_map(Result::ok);
    let mine = format!("dm-tls-{}-", id);
    let left: Vec<_> =
        left.filter(|e| e.file_name().to_string_lossy().starts_with(&mine)).collect();
    assert!(left.is_empty(), "{left:?}");
    server.wipe();
}

#[test]
fn a_run_stays_encrypted_on_mysql() {
    stays(Flavor::Mysql);
}

#[test]
fn a_run_stays_encrypted_on_mariadb() {
    stays(Flavor::Mariadb);
}

/// The plugin that sends the password itself, encrypted by TLS or by the server's key, when the
/// server does not know it yet.
#[test]
fn caching_sha2_password_with_and_without_tls() {
    let _one = serial();
    let Some(authority) = Authority::new() else { return };
    authority.sign("server", 30);
    let Some(server) = start(&authority, Flavor::Mysql, "server") else { return };
    server.run(
        "",
        "CREATE USER sha@'%' IDENTIFIED WITH caching_sha2_password BY 'secret'; GRANT ALL ON *.* TO sha@'%'",
    );
    let ca = authority.file("ca.pem");
    for security in ["{}".to_owned(), format!("{{ssl-ca: {}}}", ca.display())] {
        // The server forgets whom it knows.
        server.run("", "FLUSH PRIVILEGES");
        arrives(&server, "sha", &security);
        arrives(&server, "sha", &security);
    }
    server.wipe();
}

#[test]
fn a_server_without_encryption() {
    let _one = serial();
    let Some(server) = Server::start("tls-none", Flavor::Mariadb, &["--skip-ssl"]) else { return };
    let Some(authority) = Authority::new() else { return };
    server.run("", "CREATE USER plain@'%' IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO plain@'%'");
    let ca = authority.file("ca.pem");
    run(&server, "plain", &format!("{{ssl-ca: {}}}", ca.display()))
        .expect_failure(&["[code=11112:", "the server offers no encrypted connection"]);
    server.wipe();
}
