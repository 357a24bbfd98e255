//! The server's side of MySQL's protocol, as far as the client crate uses it.

use std::io::{self, Read, Write};
use std::net::TcpStream;

const PROTOCOL_41: u32 = 0x0200;
/// LONG_PASSWORD, FOUND_ROWS, LONG_FLAG, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS,
/// SECURE_CONNECTION, MULTI_STATEMENTS, MULTI_RESULTS, PS_MULTI_RESULTS, PLUGIN_AUTH.
const CAPABILITIES: u32 = 0x1
    | 0x2
    | 0x4
    | 0x8
    | PROTOCOL_41
    | 0x2000
    | 0x8000
    | 0x1_0000
    | 0x2_0000
    | 0x4_0000
    | 0x8_0000;
const AUTOCOMMIT: u16 = 0x2;
const MORE_RESULTS: u16 = 0x8;
const UTF8MB4: u8 = 45;
/// A packet of this length is followed by its continuation.
const MOST: usize = 0xFF_FFFF;
const VAR_STRING: u8 = 0xFD;

/// What a client wants.
pub enum Command {
    /// COM_QUIT.
    Quit,
    /// COM_PING.
    Ping,
    /// COM_INIT_DB.
    Database,
    /// COM_QUERY.
    Query(String),
    /// COM_STMT_PREPARE.
    Prepare(String),
    /// COM_STMT_EXECUTE; its values are not read.
    Execute(u32),
    /// COM_STMT_CLOSE and COM_STMT_SEND_LONG_DATA, which have no answer.
    Close,
    /// Another one.
    Unknown(u8),
}

/// A connection as packets.
pub struct Wire {
    stream: TcpStream,
    sequence: u8,
}

impl Wire {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, sequence: 0 })
    }

    /// Says who it is and lets everybody in.
    pub fn greet(&mut self, id: u32, version: &str) -> io::Result<()> {
        let [c0, c1, c2, c3] = CAPABILITIES.to_le_bytes();
        let mut p = vec![10];
        p.extend(version.as_bytes());
        p.push(0);
        p.extend(id.to_le_bytes());
        p.extend(b"abcdefgh\0");
        p.extend([c0, c1, UTF8MB4]);
        p.extend(AUTOCOMMIT.to_le_bytes());
        p.extend([c2, c3, 21]);
        p.extend([0; 10]);
        p.extend(b"ijklmnopqrst\0");
        p.extend(b"mysql_native_password\0");
        self.send(&p)?;
        self.receive()?;
        self.ok(0, false)
    }

    /// The next command.
    pub fn command(&mut self) -> io::Result<Command> {
        self.sequence = 0;
        let packet = self.receive()?;
        let (&number, rest) = packet.split_first().ok_or(io::ErrorKind::InvalidData)?;
        let text = || String::from_utf8_lossy(rest).into_owned();
        Ok(match number {
            0x01 => Command::Quit,
            0x02 => Command::Database,
            0x03 => Command::Query(text()),
            0x0E => Command::Ping,
            0x16 => Command::Prepare(text()),
            0x17 => {
                let id = rest.first_chunk::<4>().ok_or(io::ErrorKind::InvalidData)?;
                Command::Execute(u32::from_le_bytes(*id))
            }
            0x18 | 0x19 => Command::Close,
            other => Command::Unknown(other),
        })
    }

    /// OK. `more` says that another statement of the packet is answered next.
    pub fn ok(&mut self, rows: u64, more: bool) -> io::Result<()> {
        let mut p = vec![0];
        number(&mut p, rows);
        p.push(0);
        p.extend(status(more).to_le_bytes());
        p.extend([0, 0]);
        self.send(&p)
    }

    /// An error.
    pub fn error(&mut self, number: u16, state: &str, message: &str) -> io::Result<()> {
        let mut p = vec![0xFF];
        p.extend(number.to_le_bytes());
        p.push(b'#');
        p.extend(state.as_bytes());
        p.extend(message.as_bytes());
        self.send(&p)
    }

    /// Rows, as text.
    pub fn rows(
        &mut self,
        columns: &[String],
        rows: &[Vec<Option<String>>],
        more: bool,
    ) -> io::Result<()> {
        let mut p = Vec::new();
        number(&mut p, columns.len() as u64);
        self.send(&p)?;
        for name in columns {
            self.column(name)?;
        }
        self.end(false)?;
        for row in rows {
            let mut p = Vec::new();
            for cell in row {
                match cell {
                    Some(cell) => text(&mut p, cell),
                    None => p.push(0xFB),
                }
            }
            self.send(&p)?;
        }
        self.end(more)
    }

    /// A statement is prepared.
    pub fn prepared(&mut self, id: u32, params: u16) -> io::Result<()> {
        let mut p = vec![0];
        p.extend(id.to_le_bytes());
        p.extend(0_u16.to_le_bytes());
        p.extend(params.to_le_bytes());
        p.extend([0, 0, 0]);
        self.send(&p)?;
        for _ in 0..params {
            self.column("?")?;
        }
        if params > 0 { self.end(false) } else { Ok(()) }
    }

    fn column(&mut self, name: &str) -> io::Result<()> {
        let mut p = Vec::new();
        for part in ["def", "", "", "", name, name] {
            text(&mut p, part);
        }
        p.push(12);
        p.extend(u16::from(UTF8MB4).to_le_bytes());
        p.extend(1024_u32.to_le_bytes());
        p.push(VAR_STRING);
        p.extend([0, 0, 0, 0, 0]);
        self.send(&p)
    }

    /// The end of columns or of rows.
    fn end(&mut self, more: bool) -> io::Result<()> {
        let mut p = vec![0xFE, 0, 0];
        p.extend(status(more).to_le_bytes());
        self.send(&p)
    }

    fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut packet = Vec::with_capacity(payload.len() + 4);
        let [l0, l1, l2, _] = (payload.len() as u32).to_le_bytes();
        packet.extend([l0, l1, l2, self.sequence]);
        packet.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&packet)
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut payload = Vec::new();
        loop {
            let mut head = [0; 4];
            self.stream.read_exact(&mut head)?;
            let [l0, l1, l2, sequence] = head;
            let length = u32::from_le_bytes([l0, l1, l2, 0]) as usize;
            let from = payload.len();
            payload.resize(from + length, 0);
            self.stream.read_exact(&mut payload[from..])?;
            self.sequence = sequence.wrapping_add(1);
            if length < MOST {
                return Ok(payload);
            }
        }
    }
}

fn status(more: bool) -> u16 {
    if more { AUTOCOMMIT | MORE_RESULTS } else { AUTOCOMMIT }
}

fn number(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=250 => out.push(value as u8),
        251..=0xFFFF => {
            out.push(0xFC);
            out.extend((value as u16).to_le_bytes());
        }
        _ => {
            out.push(0xFE);
            out.extend(value.to_le_bytes());
        }
    }
}

fn text(out: &mut Vec<u8>, value: &str) {
    number(out, value.len() as u64);
    out.extend(value.as_bytes());
}
