//! Events of tests, byte by byte.

/// An event of the second 1 by server 7, without a checksum (manual, "Binary Log Event Header").
pub(crate) fn event(kind: u8, log_pos: u32, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 0, 0, 0, kind, 7, 0, 0, 0];
    bytes.extend((19 + body.len() as u32).to_le_bytes());
    bytes.extend(log_pos.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    bytes.extend(body);
    bytes
}
