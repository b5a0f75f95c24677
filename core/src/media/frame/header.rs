//! The SFrame header (RFC 9605 §4.3): a config byte, then key id and counter in as few bytes as they need.

/// A header in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The key id.
    pub(crate) kid: u64,
    /// The counter.
    pub(crate) ctr: u64,
}

impl Header {
    /// Reads a header from the beginning of `bytes`; gives its length too.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let (&config, rest) = bytes.split_first()?;
        let (kid, rest) = value(config >> 4, rest)?;
        let (ctr, rest) = value(config & 0x0f, rest)?;
        Some((Self { kid, ctr }, bytes.len() - rest.len()))
    }

    /// Appends the header.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let (kid, ctr) = (length(self.kid), length(self.ctr));
        out.push(code(self.kid, kid) << 4 | code(self.ctr, ctr));
        out.extend(self.kid.to_be_bytes().into_iter().skip(8 - kid));
        out.extend(self.ctr.to_be_bytes().into_iter().skip(8 - ctr));
    }
}

/// Bytes after the config byte: none for values below 8.
fn length(value: u64) -> usize {
    if value < 8 { 0 } else { 8 - value.leading_zeros() as usize / 8 }
}

/// Four bits: the value itself, or 8 + its length - 1.
fn code(value: u64, length: usize) -> u8 {
    let low = if length == 0 { value.to_le_bytes()[0] } else { length.to_le_bytes()[0] + 7 };
    low & 0x0f
}

/// Reads the value that four config bits describe.
fn value(code: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    if code & 8 == 0 {
        return Some((u64::from(code & 7), rest));
    }
    let (bytes, rest) = rest.split_at_checked(usize::from(code & 7) + 1)?;
    Some((bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)), rest))
}
