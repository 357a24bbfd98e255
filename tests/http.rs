//! The HTTP interface of `dm run`: what it tells, whom, and that nothing that is sent to it changes
//! the task. No server is needed: the task follows recorded files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::net::TcpStream;

use serde_json::Value;
use support::authority::Authority;
use support::dm::{DEADLINE, Dm, Process};
use support::http::{place_of, send};
use support::random::Random;
use support::samples::{assert_like_value, sample};
use support::wait;

/// A run of recorded files that stays at their end, and where it listens.
struct Site {
    dm: Dm,
    run: Process,
    place: String,
    token: Option<&'static str>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

impl Site {
    fn start(rows_per_second: &str, token: Option<&'static str>) -> Self {
        Self::start_with(rows_per_second, token, &[])
    }

    fn start_with(rows_per_second: &str, token: Option<&'static str>, more: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", rows_per_second, token, more)
    }

    fn start_at(
        address: &str,
        rows_per_second: &str,
        token: Option<&'static str>,
        args: &[&str],
    ) -> Self {
        let dm = Dm::quickstart();
        let mut more = vec!["--http", address, "--max-rows-per-second", rows_per_second];
        more.extend(args);
        if let Some(token) = token {
            dm.write("token", &format!("{token}\n"));
            more.extend(["--http-token-file", "token"]);
        }
        let run = dm.start(&more);
        let place = place_of(&run);
        Self { dm, run, place, token }
    }

    fn ask(&self, method: &str, path: &str) -> Answer {
        let token =
            self.token.map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
        self.raw(&format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{token}\r\n", self.place))
    }

    fn raw(&self, request: &str) -> Answer {
        let text = String::from_utf8(send(&self.place, request.as_bytes())).unwrap();
        let (head, body) =
            text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path)
    }
}

#[test]
fn it_tells_how_the_task_stands() {
    let site = Site::start("100", None);
    let copied = wait::poll(DEADLINE, || {
        let rows = site.get("/status").json()["sources"][0]["load"]["finishedRows"].as_u64()?;
        (rows > 0).then_some(rows)
    });
    assert!(copied.is_some(), "the status does not move");
    let metrics = site.get("/metrics");
    assert!(metrics.head.contains("text/plain; version=0.0.4"), "{}", metrics.head);
    assert!(metrics.body.contains("\ndm_worker_task_state{task=\""), "{}", metrics.body);
    assert!(metrics.body.contains("# TYPE dm_loader_progress gauge"));
    assert_eq!(site.get("/health").status, 200);
    let page = site.get("/");
    assert!(page.head.contains("text/html") && page.body.contains("</html>"));
    let outside = ["src=\"http", "href=\"http", "url(http", "@import"];
    assert!(outside.iter().all(|o| !page.body.contains(o)), "the page stands alone");
    assert!(page.head.contains("Content-Security-Policy: default-src 'none'"));
    let head = site.ask("HEAD", "/status");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(site.get("/nothing").status, 404);
    assert_eq!(site.ask("POST", "/status").status, 405);
}

#[test]
fn dms_api_is_there_to_read() {
    let site = Site::start("5", None);
    let task = site.get("/status").json()["task"].as_str().unwrap().to_owned();
    let sources = site.get("/api/v1/sources").json();
    assert_eq!(sources["total"], 2);
    for key in ["source_name", "host", "port", "user", "enable", "enable_gtid"] {
        assert!(!sources["data"][0][key].is_null(), "{key}: {sources:#}");
    }
    let tasks = site.get("/api/v1/tasks?with_status=false").json();
    assert_eq!(tasks["data"][0]["name"], task);
    let status = site.get(&format!("/api/v1/tasks/{task}/status")).json();
    assert_eq!(status["total"], 2);
    for key in ["name", "source_name", "worker_name", "stage", "unit", "unresolved_ddl_lock_id"] {
        assert!(status["data"][0][key].is_string(), "{key}: {status:#}");
    }
    let one = status["data"][1]["source_name"].as_str().unwrap();
    let told = site.get(&format!("/api/v1/tasks/{task}/status?source_name_list=nobody,{one}"));
    assert_eq!(told.json()["data"][0]["source_name"], one);
    assert_eq!(site.get(&format!("/api/v1/tasks/{task}/status?stage=stopped")).json()["total"], 0);
    let with = site.get("/api/v1/tasks?with_status=true").json();
    assert_eq!(with["data"][0]["status_list"].as_array().map(Vec::len), Some(2));
    assert_eq!(site.get("/api/v1/tasks?source_name_list=nobody").json()["total"], 0);
    // The documents' samples; a subtask has the status of the unit that works, and not both.
    for part in status["data"].as_array().unwrap() {
        assert!(part["error_msg"].is_string(), "{part:#}");
        let mut one = sample("30-openapi-status.json")["data"][0].take();
        let unit = if part["load_status"].is_null() { "load" } else { "sync" };
        one.as_object_mut().unwrap().remove(&format!("{unit}_status"));
        assert_like_value("30-openapi-status.json", &one, part);
    }
    let mut of_task = sample("30-openapi-task.json");
    // Its keys are names that the user gives.
    of_task["binlog_filter_rule"] = serde_json::json!({});
    of_task["target_config"]["security"] = Value::Null;
    assert_like_value("30-openapi-task.json", &of_task, &tasks["data"][0]);
    let mut of_source = sample("35-openapi-sources.json");
    // A recorded source has no relay log, and so nothing to purge.
    of_source["data"][0]["purge"] = Value::Null;
    assert_like_value("35-openapi-sources.json", &of_source, &sources);
    let name = sources["data"][0]["source_name"].as_str().unwrap();
    let of_status = site.get(&format!("/api/v1/sources/{name}/status")).json();
    let mut expected = sample("35-openapi-source-status.json");
    expected["data"][0]["relay_status"] = Value::Null;
    assert_like_value("35-openapi-source-status.json", &expected, &of_status);
    let refused = [
        ("POST", "/api/v1/tasks"),
        ("DELETE", "/api/v1/sources/a"),
        ("GET", "/api/v1/cluster/info"),
        ("POST", &format!("/api/v1/tasks/{task}/stop")),
    ];
    for (method, path) in refused {
        let answer = site.ask(method, path);
        assert_eq!(answer.status, 501, "{method} {path}");
        assert!(answer.json()["error_code"].is_u64() && answer.json()["error_msg"].is_string());
    }
    let missing = site.get("/api/v1/tasks/other/status");
    assert_eq!((missing.status, missing.json()["error_code"].as_u64()), (400, Some(49002)));
}

#[test]
fn who_may_ask() {
    let site = Site::start("5", Some("s3cret-token"));
    assert_eq!(site.get("/status").status, 200);
    let ask = |more: &str| {
        site.raw(&format!("GET /status HTTP/1.1\r\nHost: {}\r\n{more}\r\n", site.place)).status
    };
    assert_eq!(ask(""), 401);
    assert_eq!(ask("Authorization: Bearer wrong\r\n"), 401);
    assert_eq!(ask("Authorization: Basic s3cret-token\r\n"), 401);
    assert!(!site.run.stderr().contains("s3cret"), "the token is in the output");
    // Without a token: only as this host, and never beyond it.
    let open = Site::start("5", None);
    let strange = open.raw("GET /status HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(strange.status, 403);
    let outcome = open.dm.run(&["--http", "0.0.0.0:0"]);
    outcome.expect_failure(&["--http-cert", "--http-token-file"]);
}

/// Over TLS: who trusts the authority is answered, nobody else; plain requests hear nothing at all.
#[test]
fn over_tls_or_not_at_all() {
    let (Some(authority), Some(other)) = (Authority::new(), Authority::new()) else { return };
    authority.sign("server", 30);
    authority.sign("client", 30);
    other.sign("server", 30);
    other.sign("client", 30);
    let (cert, key) = (authority.path("server.pem"), authority.path("server-key.pem"));
    let site = Site::start_with("5", None, &["--http-cert", &cert, "--http-key", &key]);
    let request = "GET /health HTTP/1.1\r\nHost: monitoring.example\r\n\r\n";
    let answered = |authority: &Authority| authority.ask(&site.place, &[], request);
    assert!(answered(&authority).starts_with("HTTP/1.1 200 OK\r\n"), "{}", site.run.stderr());
    assert_eq!(answered(&other), "", "an authority that did not sign it");
    assert!(send(&site.place, request.as_bytes()).is_empty(), "a plain request");
    assert!(!authority.ask(&site.place, &["-tls1_2"], request).is_empty());
    // Renewed while it runs; what cannot be used is passed over.
    authority.put(&other.file("server.pem"), &other.file("server-key.pem"));
    assert!(answered(&other).starts_with("HTTP/1.1 200 OK\r\n"), "{}", site.run.stderr());
    assert_eq!(answered(&authority), "");
    std::fs::write(authority.file("server.pem"), "rubbish").unwrap();
    assert!(answered(&other).starts_with("HTTP/1.1 200 OK\r\n"), "{}", site.run.stderr());
    authority.put(&other.file("server.pem"), &other.file("server-key.pem"));

    // Only clients with a certificate of the given authority, and at any address.
    let ca = authority.path("ca.pem");
    let guards = ["--http-cert", &cert, "--http-key", &key, "--http-ca", &ca];
    let known = Site::start_at("0.0.0.0:0", "5", None, &guards);
    let port = known.place.rsplit_once(':').unwrap().1;
    let place = format!("127.0.0.1:{port}");
    let ask = |of: &Authority| {
        let (cert, key) = (of.path("client.pem"), of.path("client-key.pem"));
        other.ask(&place, &["-cert", &cert, "-key", &key], request)
    };
    assert!(ask(&authority).starts_with("HTTP/1.1 200 OK\r\n"), "{}", known.run.stderr());
    assert_eq!(ask(&other), "", "a client of another authority");
    assert_eq!(other.ask(&place, &[], request), "", "a client without a certificate");
    let other_key = other.path("ca-key.pem");
    let wrong = ["--http", "127.0.0.1:0", "--http-cert", &cert, "--http-key", &other_key];
    known.dm.run(&wrong).expect_failure(&["[code=11112:", "do not go together"]);
}

/// A thousand requests of rubbish: the task does not notice, and the interface still answers.
#[test]
fn rubbish_changes_nothing() {
    rubbish(Site::start("5", None), b"HTTP/1.1 ", |place| {
        let answer = send(place, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        String::from_utf8_lossy(&answer).into_owned()
    });
}

#[test]
fn rubbish_over_tls_changes_nothing() {
    let Some(authority) = Authority::new() else { return };
    authority.sign("server", 30);
    let (cert, key) = (authority.path("server.pem"), authority.path("server-key.pem"));
    let site = Site::start_with("5", None, &["--http-cert", &cert, "--http-key", &key]);
    // An alert is all that who begins with a handshake may hear.
    rubbish(site, b"\x15", |place| {
        authority.ask(place, &[], "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    });
}

/// Sends rubbish to a site, which answers nothing or what begins with `words`, and still answers `asked`.
fn rubbish(mut site: Site, words: &[u8], asked: impl Fn(&str) -> String) {
    let seed = Random::seed();
    println!("DM_TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let heads: [&[u8]; 6] = [
        b"GET /status HTTP/1.1\r\n",
        b"POST /api/v1/tasks HTTP/1.1\r\nContent-Length: 999999\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"",
    ];
    for _ in 0..1_000 {
        let mut bytes = random.pick(&heads).to_vec();
        let most = if random.one_in(20) { 40_000 } else { 300 };
        let length = random.below(most);
        bytes.extend((0..length).map(|_| u8::try_from(random.below(256)).unwrap_or(0)));
        let answer = send(&site.place, &bytes);
        let text = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with(words), "{text}");
    }
    // Peers that connect and say nothing hold no place for ever.
    let silent: Vec<_> = (0..40).filter_map(|_| TcpStream::connect(&site.place).ok()).collect();
    drop(silent);
    let alive =
        wait::poll(DEADLINE, || asked(&site.place).starts_with("HTTP/1.1 200").then_some(()));
    assert!(alive.is_some(), "it no longer answers");
    assert!(site.run.is_running(), "the task ended:\n{}", site.run.stderr());
    assert!(!site.run.stderr().contains("panicked"), "{}", site.run.stderr());
}

/// A browser without a window: the one that `DM_TEST_BROWSER` names (`tests/browser.sh` fetches one), or
/// one that is installed.
fn browser() -> Option<String> {
    let named = std::env::var("DM_TEST_BROWSER").ok();
    let known = ["chromium-headless-shell", "chromium", "google-chrome"].map(str::to_owned);
    named.into_iter().chain(known).find(|program| {
        let asked = std::process::Command::new(program).arg("--version").output();
        asked.is_ok_and(|answer| answer.status.success())
    })
}

/// The page in a real browser: its script runs under its own security policy, asks again and again, and
/// draws what it hears.
#[test]
fn a_browser_shows_the_page() {
    let Some(browser) = browser() else {
        support::leave_out("the page in a browser", "no browser; see tests/browser.sh");
        return;
    };
    let site = Site::start("100", None);
    let started = wait::poll(DEADLINE, || {
        let rows = site.get("/status").json()["sources"][0]["load"]["finishedRows"].as_u64()?;
        (rows > 0).then_some(())
    });
    assert!(started.is_some(), "the status does not move");
    let mut command = std::process::Command::new(browser);
    let page = format!("http://{}/", site.place);
    let profile = format!("--user-data-dir={}", site.dm.path().join("profile").display());
    // Time runs fast in it, so that it asks several times.
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=9000"]);
    command.args(["--dump-dom", &profile, &page]);
    let shown = Process::spawn(command).wait(DEADLINE).stdout;
    let status = site.get("/status").json();
    let task = status["task"].as_str().unwrap();
    assert!(shown.contains(&format!("<title>dm: {task}</title>")), "{shown}");
    assert!(shown.contains("role=\"status\">as of "), "{shown}");
    for source in status["sources"].as_array().unwrap() {
        let heading = format!("<h2>{}: ", source["source"].as_str().unwrap());
        assert!(shown.contains(&heading), "{heading}: {shown}");
    }
    // Both plots have points of several answers, and say in words what they show.
    let plots: Vec<&str> = shown.split("<polyline points=\"").skip(1).collect();
    assert_eq!(plots.len(), 4, "two plots for each of two sources: {shown}");
    assert!(plots.iter().all(|p| p.split('"').next().unwrap().split(' ').count() >= 2), "{shown}");
    assert!(shown.contains("aria-label=\"Lag: ") && shown.contains("rows copied"), "{shown}");
}
