//! Reads the head of a request. Pure but for the reader that it is given.
//!
//! Nothing of a request is kept or believed beyond what routing needs: method, path, and two
//! headers. Whatever is longer than the bound, or does not look like HTTP, is refused.

use std::io::{self, BufRead, BufReader, Read};

/// The whole head may have this many bytes.
const HEAD_BYTES_MAX: u64 = 8 * 1024;

/// What routing needs of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, ...
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query, empty where there is none.
    pub query: String,
    /// `Host`.
    pub host: Option<String>,
    /// `Authorization`.
    pub authorization: Option<String>,
}

/// Why a request is not served.
#[derive(Debug)]
pub enum Bad {
    /// It is not HTTP, or not of a form that is served.
    Form,
    /// It is too long.
    Long,
    /// The connection broke or was too slow.
    Io,
}

impl From<io::Error> for Bad {
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}

/// Reads a request's head.
pub fn read(from: impl Read) -> Result<Request, Bad> {
    let mut lines = BufReader::with_capacity(1024, from.take(HEAD_BYTES_MAX));
    let first = line(&mut lines)?;
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Bad::Form);
    };
    let token = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
    if !token || !target.starts_with('/') || !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return Err(Bad::Form);
    }
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        host: None,
        authorization: None,
    };
    loop {
        let header = line(&mut lines)?;
        if header.is_empty() {
            return Ok(request);
        }
        let (name, value) = header.split_once(':').ok_or(Bad::Form)?;
        let value = value.trim().to_owned();
        if name.eq_ignore_ascii_case("host") {
            // Two of them are a trick.
            if request.host.replace(value).is_some() {
                return Err(Bad::Form);
            }
        } else if name.eq_ignore_ascii_case("authorization") {
            request.authorization = Some(value);
        }
    }
}

/// A line without its end.
fn line(from: &mut BufReader<io::Take<impl Read>>) -> Result<String, Bad> {
    let mut bytes = Vec::new();
    from.read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(if from.get_ref().limit() == 0 { Bad::Long } else { Bad::Form });
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    if bytes.iter().any(|b| *b < b' ' && *b != b'\t') {
        return Err(Bad::Form);
    }
    String::from_utf8(bytes).map_err(|_| Bad::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let text = "GET /api/v1/tasks?with_status=true HTTP/1.1\r\nHost: localhost:8262\r\n\
                    AUTHORIZATION: Bearer x\r\nX: y\r\n\r\nbody";
        let request = read(text.as_bytes()).ok().unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/api/v1/tasks"));
        assert_eq!(request.query, "with_status=true");
        assert_eq!(request.host.as_deref(), Some("localhost:8262"));
        assert_eq!(request.authorization.as_deref(), Some("Bearer x"));
    }

    #[test]
    fn rubbish_is_refused() {
        for text in [
            "",
            "\r\n\r\n",
            "GET\r\n\r\n",
            "GET / HTTP/2\r\n\r\n",
            "get / HTTP/1.1\r\n\r\n",
            "GET http://other/ HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: \0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a",
            "\u{16}\u{3}\u{1}",
        ] {
            assert!(matches!(read(text.as_bytes()), Err(Bad::Form)), "{text:?}");
        }
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(10_000));
        assert!(matches!(read(long.as_bytes()), Err(Bad::Long)));
    }
}
