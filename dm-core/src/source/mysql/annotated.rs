//! Asking MariaDB for everything that stands in its binlog.
//!
//! It wants a flag in the request for the stream ([`Annotate`]). A connection that is encrypted goes through
//! sockets of ours anyway, where the flag is put in; one that is not goes through a pair of sockets of this
//! process, where that one packet is changed and everything else passes as it is.
//!
//! The port listens on the loopback address until the one connection has come. Somebody else who were faster
//! would reach what can be reached anyway, the server's login.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use crate::config::ConnPlan;
use crate::error::{Error, Result, codes};
use crate::mysql::Annotate;

const PATIENCE: Duration = Duration::from_secs(10);
/// What is passed on at a time.
const BLOCK: usize = 16 << 10;

/// The way to the same server on which the request gets the flag.
pub(super) fn through(plan: &ConnPlan) -> Result<ConnPlan> {
    let (listener, server) = open(plan).map_err(|e| {
        Error::new(&codes::SYNC_READ, format!("connecting to {}", plan.address()))
            .cause(e)
            .transient()
    })?;
    let port = listener.local_addr().map_or(0, |address| address.port());
    std::thread::Builder::new()
        .name("dm-annotated".to_owned())
        .spawn(crate::whose::carried(move || {
            let carried = accept(&listener).and_then(|client| {
                drop(listener);
                carry(client, server)
            });
            // The client, whose connection ends with this, tells what that means.
            drop(carried);
        }))
        .map_err(|e| Error::new(&codes::SYNC_PANIC, "a thread could not start").cause(e))?;
    let mut here = plan.clone();
    (here.host, here.port) = (Ipv4Addr::LOCALHOST.to_string(), port);
    Ok(here)
}

fn open(plan: &ConnPlan) -> io::Result<(TcpListener, TcpStream)> {
    let addresses = (plan.host.as_str(), plan.port).to_socket_addrs()?;
    let mut failed = io::Error::from(ErrorKind::NotFound);
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(server) => return Ok((TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, server)),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// The one connection; none comes when connecting failed before.
fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match listener.accept() {
            Ok((client, _)) => {
                client.set_nonblocking(false)?;
                return Ok(client);
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(e) => return Err(e),
        }
    }
}

/// Passes everything on until one side ends.
fn carry(client: TcpStream, server: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let asking = std::thread::Builder::new().name("dm-annotated".to_owned()).spawn(move || {
        let _ = ask(&mut from_client, &mut to_server);
        // The other direction ends with it.
        let _ = to_server.shutdown(Shutdown::Both);
    })?;
    let (mut from_server, mut to_client) = (server, client);
    let carried = io::copy(&mut from_server, &mut to_client);
    let _ = to_client.shutdown(Shutdown::Both);
    let _ = asking.join();
    carried.map(|_| ())
}

/// Passes on what the client sends, with the flag.
fn ask(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut annotate = Annotate::default();
    let mut block = vec![0; BLOCK];
    loop {
        let come = match from.read(&mut block) {
            Ok(0) => return Ok(()),
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            come => come?,
        };
        let bytes = block.get_mut(..come).unwrap_or_default();
        annotate.pass(bytes);
        to.write_all(bytes)?;
    }
}
