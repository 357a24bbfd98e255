//! The HTTP interface of a run: metrics, status, a page, DM's read-only API.
//!
//! It only looks: nothing that is asked changes the task, and the task does not wait for it: each
//! answer is made from a copy of the status. The number of connections, the length of a request
//! and the time for it are bounded, so that neither rubbish nor a slow peer costs more than that.
//!
//! Who may ask: on a loopback address everybody on this host, as long as the request names this
//! host (a page of another site that resolves to 127.0.0.1 does not); on any other address only who
//! knows the token.

mod api;
mod request;
mod routes;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use self::request::Bad;
use self::routes::Response;
pub use self::routes::{About, Site};
use crate::files::Failure;

/// Requests that are served at a time; more are turned away.
const CONNECTIONS_MAX: usize = 16;
/// Time for reading a request, and for writing its answer.
const TIME_MAX: Duration = Duration::from_secs(5);

/// A listener in threads of its own; it ends when this is dropped.
pub struct Server {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Server {
    /// Listens.
    pub fn start(address: SocketAddr, site: Site) -> Result<Self, Failure> {
        if !address.ip().is_loopback() && !site.has_token() {
            return Err(Failure::Usage(format!(
                "--http {address}: an address that others reach needs a token: put one into a file \
                 and give it with --http-token-file"
            )));
        }
        let wrong = |e| Failure::Usage(format!("--http {address}: cannot listen: {e}"));
        let listener = TcpListener::bind(address).map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let ended = Arc::new(AtomicBool::new(false));
        let (site, stop) = (Arc::new(site), Arc::clone(&ended));
        std::thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || accept(&listener, &site, &stop))
            .map_err(wrong)?;
        Ok(Self { address, ended })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the accepting thread, which then ends; nothing is lost if it does not.
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(IpAddr::from([127, 0, 0, 1]));
        }
        let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    }
}

fn accept(listener: &TcpListener, site: &Arc<Site>, ended: &AtomicBool) {
    let open = Arc::new(AtomicUsize::new(0));
    for client in listener.incoming() {
        if ended.load(Ordering::Relaxed) {
            return;
        }
        let Ok(client) = client else {
            // Out of descriptors: others have to end first.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        if open.fetch_add(1, Ordering::AcqRel) >= CONNECTIONS_MAX {
            open.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let (site, count) = (Arc::clone(site), Arc::clone(&open));
        let serve = move || {
            serve(client, &site);
            count.fetch_sub(1, Ordering::AcqRel);
        };
        if std::thread::Builder::new().name("http client".to_owned()).spawn(serve).is_err() {
            open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Reads with a deadline for everything together: a byte now and then does not hold a connection.
struct Limited<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl Read for Limited<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(into)
    }
}

/// One request, one answer. A peer that does not listen is of no interest.
fn serve(mut client: TcpStream, site: &Site) {
    let _ = client.set_write_timeout(Some(TIME_MAX));
    let limited = Limited { stream: &client, deadline: Instant::now() + TIME_MAX };
    let response = match request::read(limited) {
        Ok(request) => site.answer(&request),
        Err(Bad::Form) => Response::text(400, "this is not a request of HTTP/1.1\n"),
        Err(Bad::Long) => Response::text(431, "the request's head is too long\n"),
        Err(Bad::Io) => return,
    };
    if client.write_all(&response.to_bytes()).is_ok() {
        let _ = client.shutdown(std::net::Shutdown::Write);
        // What the peer still sends is read for a moment: closing before that would reset the
        // connection and with it the answer.
        let mut rest = Limited { stream: &client, deadline: Instant::now() + TIME_MAX / 10 };
        let mut block = [0; 1024];
        for _ in 0..64 {
            match rest.read(&mut block) {
                Ok(1..) => {}
                _ => return,
            }
        }
    }
}
