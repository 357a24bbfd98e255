//! A connection to a server over TLS, shown to the client crate as a local socket.
//!
//! Guarantee: nothing but the server's greeting and our request to encrypt goes over the network
//! before the certificate is verified; the user's name and everything after it goes through TLS.
//!
//! Obstacle: the client crate reads and writes sockets that it opens itself. It opens one of this
//! process's, in a directory that only this user can enter and that is gone as soon as the crate
//! is connected; to it a local socket is as good as an encrypted one, so that it sends a password
//! in clear text where the server's plugin wants that.
//!
//! Method: one thread decrypts what the server sends, another encrypts what the client sends; the
//! state of TLS is behind a lock that neither holds while it waits for a socket, so that neither
//! waits for the other. Both sockets are blocking: who does not read holds up who writes, as it
//! would without us. When one side ends, fails, or is dropped, both sockets are shut down and both
//! threads end: the client crate sees the end of its connection. What went wrong until the login
//! was done is kept, because the crate could only tell that its peer went away.
//!
//! Times: connecting takes [`CONNECT_TIMEOUT`] for each address, each step of the login
//! [`LOGIN_TIMEOUT`]; after it the crate's own limits hold on its side, and keepalive and the limit
//! for writing on the server's, as for a connection without TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::client_config;
use super::login::{self, Renumber};
use super::verify::refused;
use crate::config::ConnPlan;
use crate::error::{During, Error, Result, Scope, codes};
use crate::mysql::Annotate;
use crate::mysql::connect::{CONNECT_TIMEOUT, KEEPALIVE, Purpose, WRITE_TIMEOUT};
use crate::whose::carried;

/// For each step of a login: the greeting, the handshake, each of the server's answers.
const LOGIN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);
/// What is read from a socket at a time.
const BLOCK: usize = 64 << 10;
/// Longest path of a local socket that every system takes.
const PATH_MAX: usize = 100;

/// A relay for one connection, which the client crate has to open next.
pub(in crate::mysql) struct Relay {
    socket: Socket,
    failure: Arc<Mutex<Option<Error>>>,
}

impl Relay {
    /// Reaches the server, and waits in a thread of its own for the client crate.
    ///
    /// # Errors
    ///
    /// Certificates cannot be used, the server is not reached, no socket is to be had.
    pub(in crate::mysql) fn start(plan: &ConnPlan, purpose: Purpose) -> Result<Option<Self>> {
        let scope = purpose.scope();
        let annotated = matches!(purpose, Purpose::Annotated(_));
        let Some(tls) = &plan.tls else { return Ok(None) };
        let config = client_config(tls).map_err(|e| e.scope(scope))?;
        let host = ServerName::try_from(plan.host.clone()).map_err(|e| {
            Error::new(&codes::TLS_CONFIG, "the host is neither a name nor an address")
                .cause(e)
                .scope(scope)
        })?;
        let server = reach(plan, scope)?;
        let local = |e| Error::new(&codes::DB_DRIVER, "no local socket for TLS").cause(e);
        let (socket, listener, directory) = Socket::bind().map_err(local)?;
        let failure = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&failure);
        let serve = move || {
            let Ok((client, _)) = listener.accept() else { return };
            drop((listener, directory));
            let ends = Ends { client, server };
            if let Err(error) = relay(&ends, config, host, scope, annotated) {
                *lock(&kept) = Some(error);
            }
        };
        std::thread::Builder::new()
            .name("tls in".to_owned())
            .spawn(carried(serve))
            .map_err(local)?;
        Ok(Some(Self { socket, failure }))
    }

    /// Where the client crate has to connect to.
    pub(in crate::mysql) fn path(&self) -> &str {
        &self.socket.path
    }

    /// Why there was no login, when the server has not told it to the client.
    pub(in crate::mysql) fn failure(&self) -> Option<Error> {
        lock(&self.failure).take()
    }
}

/// The client's way to the thread that waits for it.
struct Socket {
    path: String,
    /// Another handle of the listener, to wake the thread that waits for a client.
    waiting: socket2::Socket,
}

/// A directory that is removed with what is in it.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        // Nothing to do about what cannot be removed; it is empty or a dead socket.
        let _ = std::fs::remove_file(self.0.join(NAME));
        let _ = std::fs::remove_dir(&self.0);
    }
}

const NAME: &str = "s";

impl Socket {
    fn bind() -> io::Result<(Self, UnixListener, Directory)> {
        let directory = Directory::new()?;
        let path = directory.0.join(NAME);
        let listener = UnixListener::bind(&path)?;
        let waiting = socket2::Socket::from(std::os::fd::OwnedFd::from(listener.try_clone()?));
        let path = path.to_string_lossy().into_owned();
        Ok((Self { path, waiting }, listener, directory))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The thread that waits for a client that never came; otherwise there is nobody to wake.
        let _ = self.waiting.shutdown(Shutdown::Both);
    }
}

impl Directory {
    /// A new one that nobody else can enter; one that is there already is never taken.
    fn new() -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        use std::sync::atomic::AtomicU64;
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let usual = std::env::temp_dir();
        let fits = |dir: &Path| dir.to_str().is_some_and(|d| d.len() + 40 <= PATH_MAX);
        let base = if fits(&usual) { usual } else { PathBuf::from("/tmp") };
        loop {
            let next = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("dm-tls-{}-{next}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// Connects to the server at the first of its addresses that answers.
fn reach(plan: &ConnPlan, scope: Scope) -> Result<TcpStream> {
    use std::net::ToSocketAddrs;
    let failed = |e: io::Error| {
        let driver = match e.kind() {
            io::ErrorKind::TimedOut => ::mysql::DriverError::ConnectTimeout,
            kind => {
                let told = Some((plan.address(), e.to_string(), kind));
                ::mysql::DriverError::CouldNotConnect(told)
            }
        };
        Error::from_mysql(::mysql::Error::DriverError(driver), During::Connect, scope)
    };
    let mut last = io::ErrorKind::NotFound.into();
    for address in (plan.host.as_str(), plan.port).to_socket_addrs().map_err(failed)? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).and_then(set_up) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(failed(last))
}

fn set_up(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LOGIN_TIMEOUT))?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE.idle);
    #[cfg(target_os = "linux")]
    let keepalive = keepalive.with_interval(KEEPALIVE.interval).with_retries(KEEPALIVE.probes);
    socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

/// Both sockets; dropping one of these ends both.
struct Ends {
    client: UnixStream,
    server: TcpStream,
}

impl Ends {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { client: self.client.try_clone()?, server: self.server.try_clone()? })
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        // One that has ended already is no error.
        let _ = self.server.shutdown(Shutdown::Both);
        let _ = self.client.shutdown(Shutdown::Both);
    }
}

/// Carries one connection from its first byte to its last.
///
/// # Errors
///
/// What went wrong before the login was done.
fn relay(
    ends: &Ends,
    config: Arc<ClientConfig>,
    host: ServerName<'static>,
    scope: Scope,
    annotated: bool,
) -> Result {
    let broken =
        |e: io::Error| Error::from_mysql(::mysql::Error::IoError(e), During::Connect, scope);
    let greeting = read_packet(&ends.server).map_err(broken)?;
    (&ends.client).write_all(&greeting).map_err(broken)?;
    if login::is_error(&greeting) {
        return Ok(()); // the client has it now
    }
    if !login::offers_tls(&greeting) {
        let none = ::mysql::Error::DriverError(::mysql::DriverError::TlsNotSupported);
        return Err(Error::from_mysql(none, During::Connect, scope));
    }
    let mut answer = read_packet(&ends.client).map_err(broken)?;
    let request =
        login::request(&mut answer).ok_or_else(|| broken(io::ErrorKind::InvalidData.into()))?;
    (&ends.server).write_all(&request).map_err(broken)?;

    let session = Session::open(ends, config, host).map_err(|e| told(e, scope))?;
    let session = Arc::new(session);
    session.send(&answer, &ends.server).map_err(broken)?;
    let (out, mine) = (Arc::clone(&session), ends.try_clone().map_err(broken)?);
    let pump = move || {
        // What breaks is told by the reading side, or by the end that the client sees.
        let _ = out.outwards(&mine, annotated.then(Annotate::default));
    };
    std::thread::Builder::new().name("tls out".to_owned()).spawn(carried(pump)).map_err(broken)?;
    match session.inwards(ends) {
        Err(e) if !session.logged_in.load(Ordering::Acquire) => Err(told(e, scope)),
        Err(e) => {
            log::debug!("an encrypted connection ended: {e}");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// An error of the handshake, which may be the TLS library's in an error of input.
fn told(error: io::Error, scope: Scope) -> Error {
    match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(tls) => refused(tls).scope(scope),
        None => Error::from_mysql(::mysql::Error::IoError(error), During::Connect, scope),
    }
}

/// One packet of a login with its header.
fn read_packet(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut header = [0; 4];
    from.read_exact(&mut header)?;
    let length = login::length(header);
    if length > login::LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut packet = header.to_vec();
    packet.resize(header.len() + length, 0);
    from.read_exact(packet.get_mut(header.len()..).unwrap_or_default())?;
    Ok(packet)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state of TLS, shared by the two threads.
struct Session {
    tls: Mutex<ClientConnection>,
    /// Encrypted bytes on their way to the server: who holds them writes.
    wire: Mutex<Vec<u8>>,
    logged_in: AtomicBool,
}

impl Session {
    /// Shakes hands.
    fn open(ends: &Ends, config: Arc<ClientConfig>, host: ServerName<'static>) -> io::Result<Self> {
        let mut tls = ClientConnection::new(config, host).map_err(io::Error::other)?;
        tls.set_buffer_limit(None); // everything is taken out again at once
        while tls.is_handshaking() {
            tls.complete_io(&mut &ends.server)?;
        }
        Ok(Self {
            tls: Mutex::new(tls),
            wire: Mutex::new(Vec::new()),
            logged_in: AtomicBool::new(false),
        })
    }

    /// Encrypts and sends.
    fn send(&self, plain: &[u8], server: &TcpStream) -> io::Result<()> {
        self.send_by(&mut lock(&self.wire), plain, server)
    }

    fn send_by(&self, wire: &mut Vec<u8>, plain: &[u8], mut server: &TcpStream) -> io::Result<()> {
        {
            let mut tls = lock(&self.tls);
            tls.writer().write_all(plain)?;
            while tls.wants_write() {
                tls.write_tls(wire)?;
            }
        }
        let sent = server.write_all(wire);
        wire.clear();
        sent
    }

    /// Decrypts what has come and puts it behind `plain`; true when the server has ended.
    fn decrypt(&self, mut wire: &[u8], plain: &mut Vec<u8>) -> io::Result<bool> {
        let mut tls = lock(&self.tls);
        loop {
            let taken = if wire.is_empty() { 0 } else { tls.read_tls(&mut wire)? };
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let at = plain.len();
            plain.resize(at + state.plaintext_bytes_to_read(), 0);
            if let Some(space) = plain.get_mut(at..).filter(|space| !space.is_empty()) {
                tls.reader().read_exact(space)?;
            }
            if wire.is_empty() || taken == 0 {
                return Ok(state.peer_has_closed());
            }
        }
    }

    /// From the server to the client, until one of them ends.
    fn inwards(&self, ends: &Ends) -> io::Result<()> {
        let mut block = vec![0; BLOCK];
        let (mut plain, mut login) = (Vec::new(), Renumber::new(-1));
        // What came together with the end of the handshake.
        let mut ended = self.decrypt(&[], &mut plain)?;
        loop {
            if !self.logged_in.load(Ordering::Relaxed) && login.server(&mut plain) {
                ends.server.set_read_timeout(None)?;
                // Before the client can see the answer, and send what must not be renumbered.
                self.logged_in.store(true, Ordering::Release);
            }
            (&ends.client).write_all(&plain)?;
            plain.clear();
            if ended {
                return Ok(());
            }
            let come = match (&ends.server).read(&mut block) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                come => come?,
            };
            if come == 0 {
                let kind = io::ErrorKind::UnexpectedEof;
                return if self.logged_in.load(Ordering::Relaxed) {
                    Ok(())
                } else {
                    Err(kind.into())
                };
            }
            ended = self.decrypt(block.get(..come).unwrap_or_default(), &mut plain)?;
            self.answer(&ends.server)?;
        }
    }

    /// Sends what TLS itself has to say (new keys); when the other thread is writing, it goes
    /// with what that sends next.
    fn answer(&self, server: &TcpStream) -> io::Result<()> {
        if !lock(&self.tls).wants_write() {
            return Ok(());
        }
        match self.wire.try_lock() {
            Ok(mut wire) => self.send_by(&mut wire, &[], server),
            Err(_) => Ok(()),
        }
    }

    /// From the client to the server, until one of them ends.
    fn outwards(&self, ends: &Ends, mut annotate: Option<Annotate>) -> io::Result<()> {
        let mut block = vec![0; BLOCK];
        let mut login = Renumber::new(1);
        loop {
            let come = match (&ends.client).read(&mut block) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                come => come?,
            };
            if come == 0 {
                lock(&self.tls).send_close_notify();
                return self.send(&[], &ends.server);
            }
            let plain = block.get_mut(..come).unwrap_or_default();
            if let Some(annotate) = &mut annotate {
                annotate.pass(plain);
            }
            if !self.logged_in.load(Ordering::Acquire) {
                login.client(plain);
            }
            self.send(plain, &ends.server)?;
        }
    }
}
