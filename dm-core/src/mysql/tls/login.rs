//! The packets of a login over TLS, as a client sees them that knows nothing of TLS.
//!
//! Packets of MySQL's protocol carry three bytes of length and one of number. Until the server has
//! said that the login is done (OK) or refused (ERR), numbers count up through both directions; the
//! request to encrypt takes one that the client does not know of, so that the server's numbers are
//! one higher than those the client expects. Every command after that begins at zero again.

/// The bit of the capability flags that asks for, or offers, encryption.
const CLIENT_SSL: u16 = 0x0800;
/// A client's request to encrypt: as much of its answer to the greeting.
const REQUEST: usize = 32;
const HEADER: usize = 4;
/// The longest packet before the login's answer: a plugin's data is at most some kilobytes.
pub(super) const LONGEST: usize = 1 << 16;

const OK: u8 = 0x00;
const ERR: u8 = 0xff;

/// The length that a packet's header tells.
pub(super) fn length(header: [u8; HEADER]) -> usize {
    let [a, b, c, _] = header;
    usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16
}

/// True when the server's first packet is an error: it takes no more connections, for example.
pub(super) fn is_error(packet: &[u8]) -> bool {
    packet.get(HEADER) == Some(&ERR)
}

/// True when the server's greeting offers encryption.
///
/// Its form: the protocol's version, the server's version up to a zero, 4 bytes of connection id,
/// 8 of the challenge, a zero, and the lower half of the flags.
pub(super) fn offers_tls(greeting: &[u8]) -> bool {
    let flags = || {
        let text = greeting.get(HEADER + 1..)?;
        let end = text.iter().position(|b| *b == 0)?;
        let flags = text.get(end + 1 + 4 + 8 + 1..)?;
        Some(u16::from_le_bytes([*flags.first()?, *flags.get(1)?]))
    };
    flags().is_some_and(|flags| flags & CLIENT_SSL != 0)
}

/// Makes the client's answer to the greeting one that follows a request to encrypt, and gives that
/// request; `None` when it is too short to be an answer.
pub(super) fn request(answer: &mut [u8]) -> Option<Vec<u8>> {
    let [_, high] = CLIENT_SSL.to_le_bytes();
    *answer.get_mut(HEADER + 1)? |= high;
    let begin = answer.get(HEADER..HEADER + REQUEST)?;
    let mut request = vec![u8::try_from(REQUEST).ok()?, 0, 0, *answer.get(3)?];
    request.extend(begin);
    let number = answer.get_mut(3)?;
    *number = number.wrapping_add(1);
    Some(request)
}

/// Renumbers the packets of one direction, in whatever pieces they come.
#[derive(Debug)]
pub(super) struct Renumber {
    by: i8,
    header: [u8; HEADER],
    /// How much of the header has come.
    come: usize,
    /// How much of the contents is to come.
    left: usize,
    /// The next byte is the first of the contents.
    first: bool,
    done: bool,
}

impl Renumber {
    /// Changes the numbers by this.
    pub(super) fn new(by: i8) -> Self {
        Self { by, header: [0; HEADER], come: 0, left: 0, first: false, done: false }
    }

    /// Renumbers the server's packets up to the one that ends the login; true once it has come.
    pub(super) fn server(&mut self, bytes: &mut [u8]) -> bool {
        self.run(bytes, true);
        self.done
    }

    /// Renumbers the client's packets.
    pub(super) fn client(&mut self, bytes: &mut [u8]) {
        self.run(bytes, false);
    }

    fn run(&mut self, mut bytes: &mut [u8], ends: bool) {
        while !self.done {
            let Some((byte, rest)) = std::mem::take(&mut bytes).split_first_mut() else { return };
            if self.left > 0 {
                if std::mem::take(&mut self.first) && ends && (*byte == OK || *byte == ERR) {
                    self.done = true;
                }
                let skip = rest.len().min(self.left - 1);
                self.left -= 1 + skip;
                bytes = rest.get_mut(skip..).unwrap_or_default();
                continue;
            }
            if let Some(place) = self.header.get_mut(self.come) {
                *place = *byte;
            }
            self.come += 1;
            if self.come == HEADER {
                *byte = byte.wrapping_add_signed(self.by);
                self.come = 0;
                self.left = length(self.header);
                self.first = true;
            }
            bytes = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(number: u8, contents: &[u8]) -> Vec<u8> {
        let length = u32::try_from(contents.len()).unwrap().to_le_bytes();
        [&length[..3], &[number], contents].concat()
    }

    fn greeting(flags: u16) -> Vec<u8> {
        let mut contents = b"\x0a9.7.0\0".to_vec();
        contents.extend([1, 0, 0, 0]);
        contents.extend(b"challeng\0");
        contents.extend(flags.to_le_bytes());
        packet(0, &contents)
    }

    #[test]
    fn greetings() {
        assert!(offers_tls(&greeting(0xffff)) && !offers_tls(&greeting(0xf7ff)));
        assert!(!offers_tls(&greeting(0xffff)[..20]) && !offers_tls(b""));
        assert!(is_error(&packet(0, b"\xff\x10\x04Too many connections")));
    }

    #[test]
    fn the_answer_follows_the_request() {
        let contents: Vec<u8> = (0..60).collect();
        let mut answer = packet(1, &contents);
        let request = request(&mut answer).unwrap();
        assert_eq!((request[0], request[3], answer[0], answer[3]), (32, 1, 60, 2));
        assert_eq!(request[4..36], answer[4..36]);
        assert_eq!(request[5] & 8, 8);
        assert_eq!(answer[36..], contents[32..]);
        assert_eq!(super::request(&mut packet(1, b"short")), None);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(cuts in prop::collection::vec(0_usize..200, 0..6)) {
            // A change of plugin, its data, the answer; what follows is not of the login.
            let sent = [packet(2, &[0xfe; 40]), packet(4, &[1, 4]), packet(6, &[0, 0]), packet(1, b"x")];
            let want = [packet(1, &[0xfe; 40]), packet(3, &[1, 4]), packet(5, &[0, 0]), packet(1, b"x")];
            let mut bytes = sent.concat();
            let mut cuts: Vec<usize> = cuts.iter().map(|c| c % bytes.len()).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let (mut renumber, mut at, mut done) = (Renumber::new(-1), 0, false);
            for cut in cuts {
                done = renumber.server(&mut bytes[at..cut]);
                at = cut;
            }
            prop_assert!(done);
            prop_assert_eq!(bytes, want.concat());
        }
    }

    #[test]
    fn a_client_is_renumbered_for_as_long_as_it_is_asked() {
        let mut bytes = [packet(3, b"\x00password"), packet(255, b"")].concat();
        Renumber::new(1).client(&mut bytes);
        assert_eq!(bytes, [packet(4, b"\x00password"), packet(0, b"")].concat());
    }
}
