//! MariaDB's UUID, INET6 and INET4: bytes in the order that they are written in.

use std::fmt::Write;

use super::super::{Result, malformed};

/// The canonical form: 32 lower-case hexadecimal digits in five groups.
pub(crate) fn uuid(bytes: &[u8]) -> Result<String> {
    let bytes: &[u8; 16] = bytes.try_into().map_err(|_| malformed("a UUID has not 16 bytes"))?;
    let mut out = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(out, "{dash}{byte:02x}");
    }
    Ok(out)
}

/// `192.0.2.1`.
pub(crate) fn inet4(bytes: &[u8]) -> Result<String> {
    let bytes: [u8; 4] = bytes.try_into().map_err(|_| malformed("an INET4 has not 4 bytes"))?;
    Ok(std::net::Ipv4Addr::from(bytes).to_string())
}

/// As MariaDB prints it: the first longest run of at least two zero groups is `::`; an IPv4
/// address in the last four bytes (mapped, or compatible and not `::x`) is printed as one.
pub(crate) fn inet6(bytes: &[u8]) -> Result<String> {
    let bytes: [u8; 16] = bytes.try_into().map_err(|_| malformed("an INET6 has not 16 bytes"))?;
    let address = std::net::Ipv6Addr::from(bytes);
    let groups = address.segments();
    // Six zero groups, not a seventh: an IPv4-compatible address, which std prints as hex.
    if groups.iter().take(6).all(|g| *g == 0) && groups.get(6).is_some_and(|g| *g != 0) {
        let [.., a, b, c, d] = bytes;
        return Ok(format!("::{}", std::net::Ipv4Addr::from([a, b, c, d])));
    }
    Ok(address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_mariadb_prints_them() {
        for text in [
            "::",
            "::1",
            "::192.0.2.1",
            "::ffff:192.0.2.128",
            "2001:db8::ff00:42:8329",
            "1:0:2::3:0:0",
            "64:ff9b::102:304",
            "fe80::1:0:0:1",
            "1:2:3:4:5:6:7:8",
        ] {
            let address: std::net::Ipv6Addr = text.parse().unwrap();
            assert_eq!(inet6(&address.octets()).unwrap(), text);
        }
        assert_eq!(inet4(&[192, 0, 2, 0]).unwrap(), "192.0.2.0");
        assert!(uuid(&[0; 15]).is_err());
    }
}
