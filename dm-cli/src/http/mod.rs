//! The HTTP interface of a run: metrics, status, a page, DM's read-only API.
//!
//! It only looks: nothing that is asked changes the task, and the task does not wait for it: each
//! answer is made from a copy of the status. The number of connections, the length of a request
//! and the time for it are bounded, so that neither rubbish nor a slow peer costs more than that.
//!
//! Who may ask: on a loopback address everybody on this host, as long as the request names this
//! host (a page of another site that resolves to 127.0.0.1 does not); on any other address who knows
//! the token, or who comes over TLS (with a certificate of a given authority, where one is wanted).
//! A port that speaks TLS answers nobody who does not.

mod api;
mod cpu;
mod request;
mod routes;
mod task;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dm_core::Migration;
use dm_core::config::RawTask;
use dm_core::mysql::TlsServer;

use self::request::Bad;
use self::routes::{About, Response, Site};
use crate::args::HttpArgs;
use crate::files::{self, Failure};

/// Requests that are served at a time; more are turned away.
const CONNECTIONS_MAX: usize = 16;
/// Time for a request and its answer together.
const TIME_MAX: Duration = Duration::from_secs(10);

/// A listener in threads of its own; it ends when this is dropped.
pub struct Server {
    scheme: &'static str,
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

/// Serves a migration as the arguments say; `None` where they want nothing.
pub fn serve(
    args: &HttpArgs,
    migration: &Migration,
    raw: &RawTask,
    state_dir: &Path,
) -> Result<Option<Server>, Failure> {
    let Some(address) = args.address else { return Ok(None) };
    let (token, tls) = guards(args)?;
    let site =
        Site::new(migration.control(), About::new(migration.plan(), raw, state_dir), token, tls);
    Server::start(listen(address, site.is_guarded())?, site).map(Some)
}

/// Says what keeps the arguments from being served here and now; nothing is left listening. `held` is an
/// address that a process listens on which is to end before.
pub fn check(args: &HttpArgs, held: Option<SocketAddr>) -> Result<(), Failure> {
    let Some(address) = args.address else { return Ok(()) };
    let (token, tls) = guards(args)?;
    if held == Some(address) {
        return Ok(());
    }
    listen(address, token.is_some() || tls.is_some()).map(drop)
}

/// The token and the certificate that the arguments name.
fn guards(args: &HttpArgs) -> Result<(Option<String>, Option<TlsServer>), Failure> {
    let token = match &args.token_file {
        Some(path) => Some(files::read(path)?.trim().to_owned()),
        None => None,
    };
    if token.as_ref().is_some_and(String::is_empty) {
        return Err(Failure::Usage("--http-token-file: the file holds no token".to_owned()));
    }
    let tls = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => {
            Some(TlsServer::new(cert, key, args.ca.as_deref()).map_err(Failure::Input)?)
        }
        _ => None,
    };
    Ok((token, tls))
}

/// Listens where everybody who is answered may ask.
fn listen(address: SocketAddr, guarded: bool) -> Result<TcpListener, Failure> {
    if !address.ip().is_loopback() && !guarded {
        return Err(Failure::Usage(format!(
            "--http {address}: an address that others reach needs TLS or a token: give a \
             certificate with --http-cert and --http-key, or put a token into a file and give \
             it with --http-token-file"
        )));
    }
    TcpListener::bind(address)
        .map_err(|e| Failure::Usage(format!("--http {address}: cannot listen: {e}")))
}

impl Server {
    /// Answers who connects.
    fn start(listener: TcpListener, site: Site) -> Result<Self, Failure> {
        let wrong = |e| Failure::Usage(format!("--http: cannot listen: {e}"));
        let address = listener.local_addr().map_err(wrong)?;
        let scheme = if site.tls().is_some() { "https" } else { "http" };
        let ended = Arc::new(AtomicBool::new(false));
        let (site, stop) = (Arc::new(site), Arc::clone(&ended));
        std::thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || accept(&listener, &site, &stop))
            .map_err(wrong)?;
        Ok(Self { scheme, address, ended })
    }

    /// Where it listens, as a sentence for people: in `dm run` on the terminal, in the background in the
    /// log and in the answer of the command that started it.
    pub fn words(&self) -> String {
        format!("{}://{}/ shows how it stands", self.scheme, self.address)
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
            attend(client, &site);
            count.fetch_sub(1, Ordering::AcqRel);
        };
        if std::thread::Builder::new().name("http client".to_owned()).spawn(serve).is_err() {
            open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Reads and writes with a deadline for everything together: a byte now and then does not hold a
/// connection.
struct Limited<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl Limited<'_> {
    fn left(&self) -> std::io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(std::io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Limited<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(into)
    }
}

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One request, one answer. A peer that does not listen is of no interest.
fn attend(client: TcpStream, site: &Site) {
    let mut limited = Limited { stream: &client, deadline: Instant::now() + TIME_MAX };
    let answered = match site.tls() {
        None => answer(&mut limited, site),
        // Whoever does not speak TLS hears nothing, not even that something listens.
        Some(_) if !speaks_tls(&client) => false,
        Some(tls) => match tls.accept(limited) {
            Ok(mut stream) => answer(&mut stream, site) && stream.finish().is_ok(),
            Err(error) => {
                log::warn!("--http: {error}");
                false
            }
        },
    };
    if answered {
        let _ = client.shutdown(std::net::Shutdown::Write);
        // What the peer still sends is read for a moment: closing before that would reset the
        // connection and with it the answer.
        let mut rest = Limited { stream: &client, deadline: Instant::now() + TIME_MAX / 20 };
        let mut block = [0; 1024];
        for _ in 0..64 {
            match rest.read(&mut block) {
                Ok(1..) => {}
                _ => return,
            }
        }
    }
}

fn speaks_tls(client: &TcpStream) -> bool {
    let mut first = [0];
    let seen = client.set_read_timeout(Some(TIME_MAX)).and_then(|()| client.peek(&mut first));
    seen.is_ok_and(|count| TlsServer::is_spoken(first.get(..count).unwrap_or_default()))
}

/// Reads a request and writes its answer; true when there was one.
fn answer(stream: &mut (impl Read + Write), site: &Site) -> bool {
    let response = match request::read(&mut *stream) {
        Ok(request) => site.answer(&request),
        Err(Bad::Form) => Response::text(400, "this is not a request of HTTP/1.1\n"),
        Err(Bad::Long) => Response::text(431, "the request's head is too long\n"),
        Err(Bad::Io) => return false,
    };
    stream.write_all(&response.to_bytes()).is_ok()
}
