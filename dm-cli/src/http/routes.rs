//! What is answered to which path.

use std::path::{Path, PathBuf};

use dm_core::Control;
use dm_core::config::{RawTask, RelayPlan, SourceKind, TargetPlan, TaskPlan};
use dm_core::metrics::{self, Beside};
use dm_core::mysql::TlsServer;
use dm_core::state::Stage;
use serde_json::{Value, json};

use super::api;
use super::cpu::Cpu;
use super::request::Request;

const PAGE: &str = include_str!("page.html");

/// A source, as far as the interface tells about it.
#[derive(Clone, Debug)]
pub struct Place {
    /// `source-id`.
    pub id: String,
    /// Address and account; `None` for recorded files.
    pub server: Option<(String, u16, String)>,
    /// `enable-gtid`.
    pub gtid: bool,
    /// `enable`.
    pub enabled: bool,
    /// `cert-allowed-cn` of an encrypted connection; `None` where it is not encrypted.
    pub allowed_cn: Option<Vec<String>>,
    /// What its file says of a relay log; `None` for recorded files.
    pub relay: Option<RelayPlan>,
}

/// What does not change while the task runs. Holds no password.
#[derive(Clone, Debug)]
pub struct About {
    /// Name of the task.
    pub task: String,
    /// `task-mode`.
    pub mode: String,
    /// The sources.
    pub sources: Vec<Place>,
    /// Where the state is.
    pub state_dir: PathBuf,
    /// The task in the words of DM's OpenAPI.
    pub document: Value,
}

impl About {
    /// Takes from a plan what may be told.
    pub fn new(plan: &TaskPlan, raw: &RawTask, state_dir: &Path) -> Self {
        let sources = plan.sources.iter().map(|s| {
            let (server, gtid, relay, allowed_cn) = match &s.kind {
                SourceKind::Mysql(m) => {
                    let conn = &m.conn;
                    let place = (conn.host.clone(), conn.port, conn.user.clone());
                    let allowed_cn = conn.tls.as_ref().map(|tls| tls.allowed_cn.clone());
                    (Some(place), m.enable_gtid, Some(m.relay.clone()), allowed_cn)
                }
                _ => (None, false, None, None),
            };
            let (id, enabled) = (s.source_id.clone(), s.enabled);
            Place { id, server, gtid, enabled, allowed_cn, relay }
        });
        let target = match &plan.target {
            TargetPlan::Mysql(conn) => Some(&**conn),
            _ => None,
        };
        Self {
            task: plan.name.clone(),
            mode: plan.mode.to_string(),
            document: super::task::document(raw, plan, target),
            sources: sources.collect(),
            state_dir: state_dir.to_owned(),
        }
    }
}

/// Everything that can be asked for.
pub struct Site {
    control: Control,
    about: About,
    token: Option<String>,
    tls: Option<TlsServer>,
    cpu: Cpu,
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    kind: &'static str,
    pub body: String,
    more: &'static str,
}

impl Response {
    pub fn text(status: u16, body: &str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: body.to_owned(), more: "" }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, kind: "application/json", body: format!("{body:#}\n"), more: "" }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            431 => "Request Header Fields Too Large",
            501 => "Not Implemented",
            503 => "Service Unavailable",
            _ => "Status",
        };
        let head = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; \
             script-src 'unsafe-inline'; connect-src 'self'\r\n{}\r\n",
            self.status,
            self.kind,
            self.body.len(),
            self.more,
        );
        [head.as_bytes(), self.body.as_bytes()].concat()
    }
}

impl Site {
    /// A site about a task; with a token only who knows it is answered, with TLS only who speaks it.
    pub fn new(
        control: Control,
        about: About,
        token: Option<String>,
        tls: Option<TlsServer>,
    ) -> Self {
        Self { control, about, token, tls, cpu: Cpu::default() }
    }

    /// True when not everybody who reaches the port reads and changes what is said.
    pub fn is_guarded(&self) -> bool {
        self.token.is_some() || self.tls.is_some()
    }

    fn beside(&self, status: &dm_core::TaskStatus) -> Beside {
        Beside::of(&self.about.state_dir, status).cpu(self.cpu.percent())
    }

    pub fn tls(&self) -> Option<&TlsServer> {
        self.tls.as_ref()
    }

    /// The answer to a request. The body of a HEAD is left out.
    pub fn answer(&self, request: &Request) -> Response {
        if let Some(refusal) = self.refuse(request) {
            return refusal;
        }
        let mut response = self.route(request);
        if request.method == "HEAD" {
            response.body.clear();
        }
        response
    }

    fn refuse(&self, request: &Request) -> Option<Response> {
        match &self.token {
            Some(token) => {
                let given =
                    request.authorization.as_deref().and_then(|a| a.strip_prefix("Bearer "));
                if given.is_some_and(|given| same(given.trim(), token)) {
                    return None;
                }
                let mut response = Response::text(401, "the token is missing or wrong\n");
                response.more = "WWW-Authenticate: Bearer\r\n";
                Some(response)
            }
            // The certificate says who this is, and a browser compares its name.
            None if self.tls.is_some() => None,
            // A name of another site may resolve to this host: its pages must not read on.
            None => match request.host.as_deref() {
                Some(host) if !is_here(host) => {
                    Some(Response::text(403, "the request is meant for another host\n"))
                }
                _ => None,
            },
        }
    }

    fn route(&self, request: &Request) -> Response {
        let status = self.control.status();
        if request.path.starts_with("/api/") || request.path.starts_with("/apis/") {
            return api::answer(request, &self.about, &status);
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            let mut response = Response::text(405, "this interface only tells\n");
            response.more = "Allow: GET, HEAD\r\n";
            return response;
        }
        match request.path.as_str() {
            "/" => Response {
                status: 200,
                kind: "text/html; charset=utf-8",
                body: PAGE.to_owned(),
                more: "",
            },
            "/metrics" => Response {
                status: 200,
                kind: "text/plain; version=0.0.4; charset=utf-8",
                body: metrics::render(&status, &self.beside(&status)),
                more: "",
            },
            "/status" => Response::json(200, &document(&self.about, &status)),
            "/health" => health(&status),
            _ => Response::text(404, "there is /, /metrics, /status, /health and /api/v1\n"),
        }
    }
}

fn document(about: &About, status: &dm_core::TaskStatus) -> Value {
    let sources: Vec<Value> = status
        .sources
        .iter()
        .map(|s| {
            let mut one = s.to_json();
            if let Some(fields) = one.as_object_mut() {
                fields.insert("progress".to_owned(), json!(metrics::progress(s)));
            }
            one
        })
        .collect();
    json!({ "task": about.task, "mode": about.mode, "sources": sources })
}

/// Well as long as no source stands still because of an error.
fn health(status: &dm_core::TaskStatus) -> Response {
    let ill: Vec<&str> = status
        .sources
        .iter()
        .filter(|s| s.stage == Stage::Paused && s.error.is_some())
        .map(|s| s.source.as_str())
        .collect();
    let code = if ill.is_empty() { 200 } else { 503 };
    Response::json(code, &json!({ "healthy": ill.is_empty(), "failedSources": ill }))
}

/// Compares without telling by its time where texts differ.
fn same(a: &str, b: &str) -> bool {
    let differ = a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differ == 0
}

fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    let address = name.parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|a| a.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine() {
        for host in ["localhost", "localhost:8262", "127.0.0.1:1", "[::1]:8262", "LOCALHOST"] {
            assert!(is_here(host), "{host}");
        }
        for host in ["", "example.com", "127.0.0.1.example.com", "10.0.0.1", "[::2]:1"] {
            assert!(!is_here(host), "{host}");
        }
    }

    #[test]
    fn tokens_are_compared_whole() {
        assert!(same("abc", "abc"));
        assert!(!same("abc", "abd") && !same("ab", "abc") && !same("abcd", "abc"));
    }
}
