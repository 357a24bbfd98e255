//! Asking the HTTP interface of a run, without a client that would make rubbish well-formed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::dm::{DEADLINE, Process};
use super::wait;

/// Sends bytes and reads all that comes.
pub fn send(place: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(place).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
    // It may have been turned away already.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// Where a run with `--http` says that it listens.
pub fn place_of(run: &Process) -> String {
    let place = wait::poll(DEADLINE, || told_in(&run.stderr()));
    place.unwrap_or_else(|| panic!("it does not listen:\n{}", run.stderr()))
}

/// Where somebody listens, as a command says it.
pub fn told_in(said: &str) -> Option<String> {
    let (before, _) = said.split_once("/ shows")?;
    before.rsplit_once("://").map(|(_, place)| place.to_owned())
}

/// The body of the answer to a GET, which must go well.
#[track_caller]
pub fn get(place: &str, path: &str) -> String {
    let answer = send(place, format!("GET {path} HTTP/1.1\r\nHost: {place}\r\n\r\n").as_bytes());
    let text = String::from_utf8(answer).expect("a text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {text:?}"));
    assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {text}");
    body.to_owned()
}
