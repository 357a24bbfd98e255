//! A server that refuses some statements: it stands in for TiDB, which answers DDL that it does not
//! support with errors of its own. Everything else is passed on to a real server, so rows, marks and
//! structures are real.
//!
//! It speaks just enough of the protocol: packets of the client are taken apart, and a COM_QUERY that
//! contains one of the texts is answered with an ERR packet in place of being passed on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::server::Address;

/// What is refused, and how.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// A statement that contains this is refused; case does not matter.
    pub text: &'static str,
    /// The number of the error.
    pub number: u16,
    /// Its text.
    pub message: &'static str,
}

#[derive(Debug)]
struct Shared {
    refusals: Vec<Refusal>,
    /// The first refusal is the last word on its connection; then everything passes.
    goes: bool,
    refused: AtomicU64,
    ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// A running stand-in; dropping it closes everything.
#[derive(Debug)]
pub struct Refuser {
    /// Where to connect to; logging in is as at the real server.
    pub address: Address,
    shared: Arc<Shared>,
}

impl Refuser {
    /// Listens on a free port and passes on to `upstream` what is not refused.
    pub fn start(upstream: &Address, refusals: &[Refusal]) -> Self {
        Self::listen(upstream, refusals, false)
    }

    /// Refuses once, and ends that connection, as a server does that shuts down.
    pub fn once(upstream: &Address, refusal: Refusal) -> Self {
        Self::listen(upstream, &[refusal], true)
    }

    fn listen(upstream: &Address, refusals: &[Refusal], goes: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            refusals: refusals.to_vec(),
            goes,
            refused: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let (to, theirs) = ((upstream.host.clone(), upstream.port), Arc::clone(&shared));
        std::thread::spawn(move || accept(&listener, &to, &theirs));
        let address = Address { host: "127.0.0.1".to_owned(), port, ..upstream.clone() };
        Self { address, shared }
    }

    /// How many statements were refused.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::SeqCst)
    }
}

impl Drop for Refuser {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the accepting thread, which then ends.
        let _ = TcpStream::connect(("127.0.0.1", self.address.port));
    }
}

fn accept(listener: &TcpListener, upstream: &(String, u16), shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        let Ok(server) = TcpStream::connect((upstream.0.as_str(), upstream.1)) else { continue };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let copies = (client.try_clone(), server.try_clone(), client.try_clone());
        if let (Ok(from), Ok(to), Ok(answers)) = copies {
            let shared = Arc::clone(shared);
            std::thread::spawn(move || statements(from, to, answers, &shared));
        }
        if let (Ok(mut from), Ok(mut to)) = (server.try_clone(), client.try_clone()) {
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.extend([client, server]);
    }
}

/// Passes the client's packets on, but for statements that are refused.
fn statements(mut from: TcpStream, mut to: TcpStream, mut answers: TcpStream, shared: &Shared) {
    let mut head = [0; 4];
    while from.read_exact(&mut head).is_ok() {
        let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        let mut body = vec![0; length];
        if from.read_exact(&mut body).is_err() {
            break;
        }
        let query = head[3] == 0 && body.first() == Some(&3);
        if let Some(refusal) = query.then(|| refused(&body, shared)).flatten() {
            shared.refused.fetch_add(1, Ordering::SeqCst);
            if answers.write_all(&error_packet(refusal)).is_err() || shared.goes {
                let _ = answers.shutdown(Shutdown::Both);
                break;
            }
            continue;
        }
        if to.write_all(&head).and_then(|()| to.write_all(&body)).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn refused<'s>(body: &[u8], shared: &'s Shared) -> Option<&'s Refusal> {
    if shared.goes && shared.refused.load(Ordering::SeqCst) > 0 {
        return None;
    }
    let text = String::from_utf8_lossy(body).to_lowercase();
    shared.refusals.iter().find(|r| text.contains(&r.text.to_lowercase()))
}

fn error_packet(refusal: &Refusal) -> Vec<u8> {
    let mut body = vec![0xff];
    body.extend(refusal.number.to_le_bytes());
    body.extend(b"#HY000");
    body.extend(refusal.message.as_bytes());
    let length = u32::try_from(body.len()).expect("a short message").to_le_bytes();
    let mut packet = vec![length[0], length[1], length[2], 1];
    packet.extend(body);
    packet
}
