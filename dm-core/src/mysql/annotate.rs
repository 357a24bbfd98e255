//! A flag that MariaDB wants in a request for its binlog.
//!
//! MariaDB sends ANNOTATE_ROWS events only to clients that set BINLOG_SEND_ANNOTATE_ROWS_EVENT in their
//! request for the stream (COM_BINLOG_DUMP), and the client crate takes all flags but one out of a request by
//! file and offset. So the flag is put in on the way, between the crate and the socket: a packet is three bytes of
//! length, a number and the content, and only the one request begins with this command and the number 0.

/// The flag.
const SEND_ANNOTATE_ROWS: u8 = 0x02;
/// The command that asks for the stream.
const COM_BINLOG_DUMP: u8 = 0x12;
/// Command, offset, flags, server id.
const REQUEST_MIN: usize = 11;
/// Where the flags stand in it.
const FLAGS: usize = 5;
/// Bytes before the content.
const HEAD: usize = 4;

/// Follows what a client sends, in pieces of any length, and puts the flag in.
#[derive(Debug, Default)]
pub(crate) struct Annotate {
    head: [u8; HEAD],
    /// So many bytes of the packet have passed, the head included.
    passed: usize,
    /// It is the request.
    asks: bool,
}

impl Annotate {
    /// What passes next.
    pub(crate) fn pass(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let taken = self.some(bytes).clamp(1, bytes.len());
            bytes = bytes.get_mut(taken..).unwrap_or_default();
        }
    }

    /// Looks at what there is of one packet; how many bytes that were.
    fn some(&mut self, bytes: &mut [u8]) -> usize {
        if self.passed < HEAD {
            let (Some(slot), Some(byte)) = (self.head.get_mut(self.passed), bytes.first()) else {
                return 1;
            };
            *slot = *byte;
            self.passed += 1;
            // One without content is over with its head.
            if self.passed == HEAD && self.length() == 0 {
                *self = Self::default();
            }
            return 1;
        }
        let at = self.passed - HEAD;
        let taken = (self.length() - at).min(bytes.len());
        if at == 0 {
            let [.., number] = self.head;
            let command = bytes.first() == Some(&COM_BINLOG_DUMP);
            self.asks = command && number == 0 && self.length() >= REQUEST_MIN;
        }
        let flags = FLAGS.checked_sub(at).filter(|flags| *flags < taken);
        if let Some(flags) = flags.and_then(|flags| bytes.get_mut(flags)).filter(|_| self.asks) {
            *flags |= SEND_ANNOTATE_ROWS;
        }
        self.passed += taken;
        if self.passed == HEAD + self.length() {
            *self = Self::default();
        }
        taken
    }

    fn length(&self) -> usize {
        let [a, b, c, _] = self.head;
        u32::from_le_bytes([a, b, c, 0]) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = (content.len() as u32).to_le_bytes()[..3].to_vec();
        bytes.push(number);
        bytes.extend(content);
        bytes
    }

    proptest! {
        /// However the bytes are cut.
        #[test]
        fn only_the_request_for_the_stream_is_changed(cuts in prop::collection::vec(1_usize..20, 0..40)) {
            let query = packet(0, b"\x03SELECT 1");
            let login = packet(1, &[COM_BINLOG_DUMP; 40]);
            let request = packet(0, b"\x12\x04\0\0\0\0\0\x01\0\0\0binlog.000001");
            let (short, empty) = (packet(0, b"\x12\x04"), packet(3, b""));
            let mut asked = request.clone();
            asked[HEAD + FLAGS] = SEND_ANNOTATE_ROWS;
            let all = [&query, &login, &empty, &request, &short].map(|p| p.as_slice()).concat();
            let mut passed = all.clone();
            let (mut annotate, mut at) = (Annotate::default(), 0);
            for cut in cuts.into_iter().chain([all.len()]) {
                let end = (at + cut).min(all.len());
                annotate.pass(&mut passed[at..end]);
                at = end;
            }
            let expected = [&query, &login, &empty, &asked, &short].map(|p| p.as_slice()).concat();
            prop_assert_eq!(passed, expected);
        }
    }
}
