//! Asking MariaDB for everything that stands in its binlog.
//!
//! MariaDB sends ANNOTATE_ROWS events only to clients that set a flag in their request for the stream
//! (BINLOG_SEND_ANNOTATE_ROWS_EVENT), and the client crate takes all flags but one out of a request by file and
//! offset. So the connection goes through a pair of sockets of this process, where the flag is put into that one
//! packet; everything else passes as it is. On an encrypted connection there is nothing to be seen from
//! outside: there the events are left out, and their place is filled up.
//!
//! The port listens on the loopback address until the one connection has come. Somebody else who were faster
//! would reach what can be reached anyway, the server's login.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use crate::config::ConnPlan;
use crate::error::{Error, Result, codes};

/// The flag.
const SEND_ANNOTATE_ROWS: u8 = 0x02;
/// The command that asks for the stream.
const COM_BINLOG_DUMP: u8 = 0x12;
/// Command, offset, flags, server id.
const REQUEST_MIN: usize = 11;
/// Where the flags stand in it.
const FLAGS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(10);

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
        .spawn(move || {
            let carried = accept(&listener).and_then(|client| {
                drop(listener);
                carry(client, server)
            });
            // The client, whose connection ends with this, tells what that means.
            drop(carried);
        })
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

/// Passes the client's packets on: three bytes of length, a number, the content.
fn ask(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut packet = Vec::new();
    loop {
        let mut head = [0; 4];
        from.read_exact(&mut head)?;
        let [a, b, c, number] = head;
        let length = u64::from(u32::from_le_bytes([a, b, c, 0]));
        packet.clear();
        from.by_ref().take(length).read_to_end(&mut packet)?;
        if packet.len() as u64 != length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let asks = number == 0 && packet.first() == Some(&COM_BINLOG_DUMP);
        if asks
            && packet.len() >= REQUEST_MIN
            && let Some(flags) = packet.get_mut(FLAGS)
        {
            *flags |= SEND_ANNOTATE_ROWS;
        }
        packet.splice(0..0, head);
        to.write_all(&packet)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = (content.len() as u32).to_le_bytes()[..3].to_vec();
        bytes.push(number);
        bytes.extend(content);
        bytes
    }

    #[test]
    fn only_the_request_for_the_stream_is_changed() {
        let query = packet(0, b"\x03SELECT 1");
        let login = packet(1, &[COM_BINLOG_DUMP; 40]);
        let request = packet(0, b"\x12\x04\0\0\0\0\0\x01\0\0\0binlog.000001");
        let short = packet(0, b"\x12\x04");
        let all = [query.clone(), login.clone(), request.clone(), short.clone()].concat();
        let mut passed = Vec::new();
        ask(&mut &all[..], &mut passed).unwrap_err();
        let mut asked = request;
        asked[4 + FLAGS] = SEND_ANNOTATE_ROWS;
        assert_eq!(passed, [query, login, asked, short].concat());
    }
}
