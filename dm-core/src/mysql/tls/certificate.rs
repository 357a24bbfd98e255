//! The few fields of an X.509 certificate that the TLS library does not tell: the common name of
//! its subject, and its time.
//!
//! Structure by RFC 5280, section 4.1, in DER (X.690). What is read here decides about trust only
//! after the certificate's signature was verified, or when it is byte for byte one that the
//! configuration holds; a text that is not understood gives `None`, which trusts nothing.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// The version, which comes first when it is not 1.
const VERSION: u8 = 0xa0;

/// 2.5.4.3, id-at-commonName.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// True when the bytes have the form of a certificate.
pub(super) fn is_certificate(der: &[u8]) -> bool {
    Fields::read(der).is_some()
}

/// The common name of the certificate's subject; of several the last, which is the most specific.
pub(super) fn common_name(der: &[u8]) -> Option<String> {
    let mut subject = Reader(Fields::read(der)?.subject);
    let mut name = None;
    while !subject.0.is_empty() {
        let mut attributes = Reader(subject.expect(SET)?);
        while !attributes.0.is_empty() {
            let mut attribute = Reader(attributes.expect(SEQUENCE)?);
            let kind = attribute.expect(OID)?;
            let (tag, value) = attribute.next()?;
            if kind == COMMON_NAME {
                name = Some(text(tag, value)?);
            }
        }
    }
    name
}

/// From when until when the certificate holds, both included, in seconds since 1970 (UTC).
pub(super) fn validity(der: &[u8]) -> Option<(i64, i64)> {
    let mut validity = Reader(Fields::read(der)?.validity);
    Some((time(validity.next()?)?, time(validity.next()?)?))
}

struct Fields<'a> {
    validity: &'a [u8],
    subject: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let mut certificate = Reader(Reader(der).expect(SEQUENCE)?);
        let mut signed = Reader(certificate.expect(SEQUENCE)?);
        if signed.0.first() == Some(&VERSION) {
            signed.next()?;
        }
        signed.expect(INTEGER)?; // serial number
        signed.expect(SEQUENCE)?; // algorithm
        signed.expect(SEQUENCE)?; // issuer
        let validity = signed.expect(SEQUENCE)?;
        let subject = signed.expect(SEQUENCE)?;
        Some(Self { validity, subject })
    }
}

/// Values one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next value's tag and contents.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        if tag & 0x1f == 0x1f {
            return None; // a tag of several bytes, which certificates do not have
        }
        let (&short, mut rest) = rest.split_first()?;
        let mut length = usize::from(short);
        if short & 0x80 != 0 {
            let digits;
            (digits, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            if digits.is_empty() || digits.len() > 4 {
                return None;
            }
            length = digits.iter().fold(0, |n, d| n << 8 | usize::from(*d));
        }
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }
}

fn text(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        UTF8_STRING => String::from_utf8(value.to_vec()).ok(),
        PRINTABLE_STRING | IA5_STRING if value.is_ascii() => {
            Some(value.iter().copied().map(char::from).collect())
        }
        // Latin 1, by custom rather than by the standard.
        TELETEX_STRING => Some(value.iter().copied().map(char::from).collect()),
        BMP_STRING if value.len().is_multiple_of(2) => {
            let units = value.chunks_exact(2);
            let units: Vec<u16> =
                units.map(|u| u.iter().fold(0, |n, b| n << 8 | u16::from(*b))).collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

/// `YYMMDDhhmmssZ` (1950 to 2049) or `YYYYMMDDhhmmssZ`.
fn time((tag, value): (u8, &[u8])) -> Option<i64> {
    let digits = value.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (year_digits, rest) = match tag {
        UTC_TIME if digits.len() == 12 => digits.split_at_checked(2)?,
        GENERALIZED_TIME if digits.len() == 14 => digits.split_at_checked(4)?,
        _ => return None,
    };
    let number = |d: &[u8]| d.iter().fold(0_i16, |n, c| n * 10 + i16::from(c - b'0'));
    let year = match (tag, number(year_digits)) {
        (UTC_TIME, year @ 50..) => 1900 + year,
        (UTC_TIME, year) => 2000 + year,
        (_, year) => year,
    };
    let mut parts = rest.chunks_exact(2).map(|pair| i8::try_from(number(pair)).ok());
    let mut part = || parts.next().flatten();
    let (month, day, hour, minute, second) = (part()?, part()?, part()?, part()?, part()?);
    let at = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A value of DER.
    fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        match u8::try_from(contents.len()) {
            Ok(short @ ..0x80) => out.push(short),
            _ => {
                out.push(0x82);
                out.extend(u16::try_from(contents.len()).unwrap().to_be_bytes());
            }
        }
        out.extend(contents);
        out
    }

    /// A certificate in form: nobody signed it.
    pub fn unsigned(names: &[(u8, &str)], from: &str, until: &str) -> Vec<u8> {
        let names = names.iter().map(|(tag, name)| {
            let attribute = [der(OID, COMMON_NAME), der(*tag, name.as_bytes())].concat();
            der(SET, &der(SEQUENCE, &attribute))
        });
        let subject: Vec<u8> = names.flatten().collect();
        let time = |t: &str| {
            let tag = if t.len() == 13 { UTC_TIME } else { GENERALIZED_TIME };
            der(tag, t.as_bytes())
        };
        let signed = [
            der(VERSION, &der(INTEGER, &[2])),
            der(INTEGER, &[1]),
            der(SEQUENCE, &[]),
            der(SEQUENCE, &[]),
            der(SEQUENCE, &[time(from), time(until)].concat()),
            der(SEQUENCE, &subject),
        ];
        der(SEQUENCE, &der(SEQUENCE, &signed.concat()))
    }

    #[test]
    fn names_and_times() {
        let cert = unsigned(
            &[(PRINTABLE_STRING, "outer"), (UTF8_STRING, "däta")],
            "700101000001Z",
            "20500101000000Z",
        );
        assert_eq!(common_name(&cert).as_deref(), Some("däta"));
        assert_eq!(validity(&cert), Some((1, 2_524_608_000)));
        assert!(is_certificate(&cert));
    }

    #[test]
    fn what_is_not_understood_is_nothing() {
        let cert = unsigned(&[], "700101000000Z", "701301000000Z");
        assert_eq!(common_name(&cert), None);
        assert_eq!(validity(&cert), None, "there is no month 13");
        let odd = unsigned(&[(UTF8_STRING, "good"), (0x05, "")], "700101000000Z", "710101000000Z");
        assert_eq!(common_name(&odd), None, "a name of a kind that names do not have");
        assert_eq!(common_name(b"0\x03abc"), None);
    }

    #[test]
    fn sixteen_bit_names() {
        assert_eq!(text(BMP_STRING, &[0, b'd', 0, b'b']).as_deref(), Some("db"));
        assert_eq!(text(BMP_STRING, &[0, b'd', 0]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (common_name(&bytes), validity(&bytes));
        }

        #[test]
        fn damage_is_survived(at in 0_usize..120, byte: u8) {
            let mut cert = unsigned(&[(UTF8_STRING, "name")], "700101000000Z", "710101000000Z");
            let at = at % cert.len();
            cert[at] = byte;
            let _ = (common_name(&cert), validity(&cert));
            let cut = &cert[..at];
            prop_assert!(!is_certificate(cut));
        }
    }
}
