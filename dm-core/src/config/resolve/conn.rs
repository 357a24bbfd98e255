//! Servers, passwords, certificates.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Lookup;
use crate::config::context::File;
use crate::config::plan::{ConnPlan, Pem, TlsPlan};
use crate::config::raw::{RawPassword, RawSecurity, RawServer};
use crate::config::{Secret, crypt, defaults};
use crate::error::codes;

/// Resolves a server that stands under `path`; mistakes go to `file`.
pub(super) fn connection(
    raw: &RawServer,
    path: &str,
    file: &mut File,
    lookup: &Lookup<'_>,
) -> ConnPlan {
    let host = expand(&raw.host, &format!("{path}.host"), file, lookup);
    let port = match raw.port {
        None => defaults::PORT,
        Some(port) => u16::try_from(port).ok().filter(|p| *p > 0).unwrap_or_else(|| {
            let found = format!("found {port}");
            file.problem(&codes::CONFIG_VALUE, format!("{path}.port"), found, "1 to 65535");
            defaults::PORT
        }),
    };
    ConnPlan {
        host,
        port,
        user: expand(&raw.user, &format!("{path}.user"), file, lookup),
        password: password(&raw.password, path, file, lookup),
        session: raw.session.clone(),
        max_allowed_packet: raw.max_allowed_packet.filter(|n| *n > 0),
        tls: raw.security.as_ref().and_then(|s| tls(s, &format!("{path}.security"), file)),
    }
}

fn password(raw: &RawPassword, path: &str, file: &mut File, lookup: &Lookup<'_>) -> Secret {
    let key = format!("{path}.password");
    let typed = match (&raw.text, &raw.file) {
        (Some(text), None) => expand(text.expose(), &key, file, lookup),
        (None, Some(from)) => {
            let key = format!("{path}.password-file");
            let from = expand(from, &key, file, lookup);
            match (lookup.file)(&from) {
                Ok(text) => text.lines().next().unwrap_or("").to_owned(),
                Err(e) => {
                    let found = format!("`{from}` cannot be read: {e}");
                    file.problem(&codes::CONFIG_PASSWORD_FILE, key, found, "");
                    return Secret::default();
                }
            }
        }
        (Some(_), Some(_)) => {
            file.problem(
                &codes::CONFIG_PASSWORD_FILE,
                format!("{path}.password-file"),
                "both `password` and `password-file` are given",
                "one of the two",
            );
            return Secret::default();
        }
        (None, None) => return Secret::default(),
    };
    match crypt::reveal(&typed, &lookup.key) {
        Ok(secret) => secret,
        Err(e) => {
            // Whatever is wrong, the code says "cannot be decrypted"; the text says why.
            file.problem(&codes::CONFIG_PASSWORD, key, e.message(), "");
            Secret::default()
        }
    }
}

/// Replaces `${NAME}`; `$${` stands for `${` itself.
fn expand(text: &str, key: &str, file: &mut File, lookup: &Lookup<'_>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = from.get(2..).unwrap_or("");
            continue;
        }
        out.push_str(before);
        let name = from.get(2..).and_then(|f| f.split_once('}')).map(|(name, _)| name);
        let Some(name) = name.filter(|n| is_variable(n)) else {
            out.push_str("${");
            rest = from.get(2..).unwrap_or("");
            continue;
        };
        match (lookup.env)(name) {
            Some(value) => out.push_str(&value),
            None => {
                let found = format!("the variable `{name}` is not set");
                file.problem(&codes::CONFIG_VARIABLE, key, found, "");
            }
        }
        rest = from.get(name.len() + 3..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `security`; one that gives nothing is the same as none.
fn tls(raw: &RawSecurity, path: &str, file: &mut File) -> Option<TlsPlan> {
    let mut pem = |name: &str,
                   bytes: &Option<Vec<u8>>,
                   base64: &Option<String>,
                   path_: &Option<String>| {
        if let Some(bytes) = bytes.as_ref().filter(|b| !b.is_empty()) {
            return Some(Pem::Bytes(bytes.clone()));
        }
        if let Some(text) = base64.as_ref().filter(|t| !t.is_empty()) {
            let decoded = STANDARD.decode(text.split_whitespace().collect::<String>());
            if let Ok(bytes) = decoded {
                return Some(Pem::Bytes(bytes));
            }
            let key = format!("{path}.{name}-base64");
            file.problem(&codes::TLS_CONFIG, key, "the text is not base64", "a PEM text in base64");
        }
        path_.as_ref().filter(|p| !p.is_empty()).map(|p| Pem::Path(PathBuf::from(p)))
    };
    let plan = TlsPlan {
        ca: pem("ssl-ca", &raw.ssl_ca_bytes, &raw.ssl_ca_base64, &raw.ssl_ca),
        cert: pem("ssl-cert", &raw.ssl_cert_bytes, &raw.ssl_cert_base64, &raw.ssl_cert),
        key: pem("ssl-key", &raw.ssl_key_bytes, &raw.ssl_key_base64, &raw.ssl_key),
        allowed_cn: raw.cert_allowed_cn.clone(),
        verify_identity: raw.ssl_verify_identity,
    };
    for (key, asked) in [
        ("cert-allowed-cn", !plan.allowed_cn.is_empty()),
        ("ssl-verify-identity", plan.verify_identity),
    ] {
        // Any certificate can carry any name, so without an authority a name says nothing.
        if asked && plan.ca.is_none() {
            let found = "there is no `ssl-ca`, by which the name would be proved";
            file.problem(&codes::TLS_CONFIG, format!("{path}.{key}"), found, "`ssl-ca` as well");
        }
    }
    if plan.cert.is_some() != plan.key.is_some() {
        let found = "one of certificate and key is missing";
        let expected = "both `ssl-cert` and `ssl-key`, or neither";
        file.problem(&codes::TLS_CONFIG, path, found, expected);
    }
    (plan.ca.is_some() || plan.cert.is_some()).then_some(plan)
}
