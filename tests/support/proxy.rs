//! A TCP proxy in the test process, to break a connection on purpose: delay, throttle, cut, swallow
//! or refuse. One thread per direction of a connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::wait;

/// How often a thread looks at what it shall do.
const TICK: Duration = Duration::from_millis(20);
const BLOCK: usize = 16 * 1024;

/// What happens to bytes and connections; changed at any time.
#[derive(Debug)]
struct Control {
    upstream: Mutex<SocketAddr>,
    /// Where connections beyond this number go.
    later: Mutex<Option<(u64, SocketAddr)>>,
    refuse: AtomicBool,
    swallow: AtomicBool,
    delay_ms: AtomicU64,
    bytes_per_second: AtomicU64,
    passed: AtomicU64,
    accepted: AtomicU64,
    ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// A running proxy; dropping it closes everything.
#[derive(Debug)]
pub struct Proxy {
    /// Where to connect to.
    pub port: u16,
    control: Arc<Control>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and passes everything on to `upstream`.
    pub fn start(host: &str, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let local = listener.local_addr().expect("an address");
        let control = Arc::new(Control {
            upstream: Mutex::new(resolve(host, port)),
            later: Mutex::default(),
            refuse: AtomicBool::default(),
            swallow: AtomicBool::default(),
            delay_ms: AtomicU64::default(),
            bytes_per_second: AtomicU64::default(),
            passed: AtomicU64::default(),
            accepted: AtomicU64::default(),
            ended: AtomicBool::default(),
            open: Mutex::default(),
        });
        let shared = Arc::clone(&control);
        std::thread::spawn(move || accept(&listener, &shared));
        Self { port: local.port(), control }
    }

    /// Every open connection ends now; new ones are accepted.
    pub fn cut(&self) {
        let mut open = self.control.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// From now on new connections go to another server, as a virtual IP address does in a failover.
    pub fn redirect(&self, host: &str, port: u16) {
        let mut upstream = self.control.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        *upstream = resolve(host, port);
    }

    /// As [`Proxy::redirect`], after so many more connections.
    pub fn redirect_after(&self, connections: u64, host: &str, port: u16) {
        let mut later = self.control.later.lock().unwrap_or_else(PoisonError::into_inner);
        *later = Some((self.accepted() + connections, resolve(host, port)));
    }

    /// While on, new connections are closed at once. Together with [`Proxy::cut`]: the server is
    /// not reachable.
    pub fn refuse(&self, on: bool) {
        self.control.refuse.store(on, Ordering::SeqCst);
    }

    /// While on, nothing passes and nothing is closed, as if packets were lost.
    pub fn black_hole(&self, on: bool) {
        self.control.swallow.store(on, Ordering::SeqCst);
    }

    /// Every block waits so long before it is passed on, in both directions.
    pub fn delay(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.control.delay_ms.store(ms, Ordering::SeqCst);
    }

    /// At most so many bytes a second per connection and direction; 0 is no limit.
    pub fn throttle(&self, bytes_per_second: u64) {
        self.control.bytes_per_second.store(bytes_per_second, Ordering::SeqCst);
    }

    /// Bytes passed on so far, both directions.
    pub fn passed(&self) -> u64 {
        self.control.passed.load(Ordering::SeqCst)
    }

    /// Connections passed on so far.
    pub fn accepted(&self) -> u64 {
        self.control.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.control.ended.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the accepting thread, which then ends.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn resolve(host: &str, port: u16) -> SocketAddr {
    let mut found = (host, port).to_socket_addrs().expect("a host that resolves");
    found.next().expect("an address")
}

fn accept(listener: &TcpListener, control: &Arc<Control>) {
    for client in listener.incoming() {
        if control.ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        if control.refuse.load(Ordering::SeqCst) {
            continue;
        }
        // A server that is down is seen by the client as a closed connection.
        let mut upstream = *control.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        let later = *control.later.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((after, elsewhere)) = later
            && control.accepted.load(Ordering::SeqCst) >= after
        {
            upstream = elsewhere;
        }
        let Ok(server) = TcpStream::connect(upstream) else { continue };
        control.accepted.fetch_add(1, Ordering::SeqCst);
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
            let control = Arc::clone(control);
            std::thread::spawn(move || pass(from, to, &control));
        }
        let mut open = control.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.extend([client, server]);
    }
}

/// Passes bytes on in one direction until an end is closed.
fn pass(mut from: TcpStream, mut to: TcpStream, control: &Control) {
    let _ = from.set_read_timeout(Some(TICK));
    let mut block = vec![0; BLOCK];
    while !control.ended.load(Ordering::SeqCst) {
        if control.swallow.load(Ordering::SeqCst) {
            wait::pass(TICK);
            continue;
        }
        let limit = control.bytes_per_second.load(Ordering::SeqCst);
        let size = if limit == 0 {
            BLOCK
        } else {
            usize::try_from(limit / 50).unwrap_or(BLOCK).clamp(1, BLOCK)
        };
        match from.read(&mut block[..size]) {
            Ok(0) => break,
            Ok(count) => {
                wait::pass(Duration::from_millis(control.delay_ms.load(Ordering::SeqCst)));
                while control.swallow.load(Ordering::SeqCst)
                    && !control.ended.load(Ordering::SeqCst)
                {
                    wait::pass(TICK);
                }
                // As it is now: the read may have begun before the limit was set.
                let limit = control.bytes_per_second.load(Ordering::SeqCst);
                if limit > 0 {
                    wait::pass(Duration::from_secs_f64(count as f64 / limit as f64));
                }
                control.passed.fetch_add(count as u64, Ordering::SeqCst);
                if to.write_all(&block[..count]).is_err() {
                    break;
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
