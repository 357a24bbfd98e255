//! TRANSACTION_PAYLOAD: the events of a transaction in one compressed piece.
//!
//! The inner events have no checksums of their own; they are unpacked one after the other, so a
//! large transaction needs no more memory than its largest event. They go through the decoder of
//! the stream, for their table maps belong to it.

use std::borrow::Cow;
use std::io::{BufReader, Read};

use super::bytes::Bytes;
use super::decoder::Decoder;
use super::event::Event;
use super::frame::{FileReader, Framed};
use super::{Error, Result, codes, malformed};

/// How the payload is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Zstd,
    None,
}

/// A transaction's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionPayload<'a> {
    compression: Compression,
    /// Bytes of the events before they were compressed.
    pub uncompressed_size: u64,
    data: Cow<'a, [u8]>,
}

impl<'a> TransactionPayload<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self> {
        let mut b = Bytes(body);
        let (mut size, mut compression, mut uncompressed_size) = (None, None, 0);
        loop {
            let field = b.lenenc()?;
            if field == 0 {
                break;
            }
            let mut value = Bytes(b.lenenc_bytes()?);
            match field {
                1 => size = Some(value.lenenc()?),
                2 => compression = Some(value.lenenc()?),
                3 => uncompressed_size = value.lenenc()?,
                _ => {}
            }
        }
        let compression = match compression {
            Some(0) => Compression::Zstd,
            Some(255) => Compression::None,
            other => return Err(malformed(format!("unknown payload compression {other:?}"))),
        };
        let data = match size {
            Some(size) => b.take_u64(size)?,
            None => return Err(malformed("a payload lacks its size")),
        };
        Ok(Self { compression, uncompressed_size, data: Cow::Borrowed(data) })
    }

    /// Starts to unpack.
    pub fn events(&self) -> Result<PayloadEvents<'_>> {
        let data: &[u8] = &self.data;
        let reader: Box<dyn Read + Send + '_> = match self.compression {
            Compression::None => Box::new(data),
            Compression::Zstd => {
                let unpacked = zstd::stream::read::Decoder::with_buffer(data).map_err(broken)?;
                Box::new(BufReader::with_capacity(64 * 1024, unpacked))
            }
        };
        Ok(PayloadEvents { reader: FileReader::resume(reader, 0) })
    }

    /// The same payload, owning its data.
    pub fn into_owned(self) -> TransactionPayload<'static> {
        TransactionPayload { data: Cow::Owned(self.data.into_owned()), ..self }
    }
}

fn broken(e: std::io::Error) -> Error {
    Error::new(&codes::SYNC_EVENT, "a compressed transaction is broken").cause(e)
}

/// The events of a payload, one after the other.
pub struct PayloadEvents<'p> {
    reader: FileReader<Box<dyn Read + Send + 'p>>,
}

impl PayloadEvents<'_> {
    /// The next event, or `None` after the last. `decoder` is that of the stream.
    pub fn next_event(&mut self, decoder: &mut Decoder) -> Result<Option<Event<'_>>> {
        match self.reader.next_event()? {
            Framed::End => Ok(None),
            Framed::Torn { .. } => Err(malformed("a compressed transaction ends too early")),
            Framed::Event { header, bytes, .. } => decoder.decode_inner(header, bytes).map(Some),
        }
    }
}
