//! Where frames begin in RTP payloads (RFC 7741 for VP8, RFC 7587 for Opus).

use crate::media::track::Codec;

/// What an RTP payload holds of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The frame's first bytes.
    Start(&'a [u8]),
    /// Some later bytes.
    Later,
}

/// Finds out whether a payload begins a frame; `None` if it is not of its form.
pub fn part(codec: Codec, payload: &[u8]) -> Option<Part<'_>> {
    match codec {
        Codec::Opus => Some(Part::Start(payload)),
        Codec::Vp8 => vp8(payload),
    }
}

/// RFC 7741 §4.2: a descriptor of one byte, or of up to six if X is set.
fn vp8(payload: &[u8]) -> Option<Part<'_>> {
    let (&first, mut rest) = payload.split_first()?;
    if first & 0x80 != 0 {
        let (&extension, after) = rest.split_first()?;
        rest = after;
        if extension & 0x80 != 0 {
            let length = if rest.first()? & 0x80 != 0 { 2 } else { 1 };
            rest = rest.get(length..)?;
        }
        if extension & 0x40 != 0 {
            rest = rest.get(1..)?;
        }
        if extension & 0x30 != 0 {
            rest = rest.get(1..)?;
        }
    }
    let starts_frame = first & 0x10 != 0 && first.trailing_zeros() >= 3;
    Some(if starts_frame { Part::Start(rest) } else { Part::Later })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vp8_descriptors_are_skipped() {
        assert_eq!(part(Codec::Vp8, &[0x10, 7, 8]), Some(Part::Start(&[7, 8])));
        assert_eq!(part(Codec::Vp8, &[0x00, 7, 8]), Some(Part::Later));
        assert_eq!(part(Codec::Vp8, &[0x11, 7, 8]), Some(Part::Later));
        assert_eq!(part(Codec::Vp8, &[0x90, 0x80, 0x05, 7]), Some(Part::Start(&[7])));
        assert_eq!(part(Codec::Vp8, &[0x90, 0xf0, 0x85, 1, 2, 3, 7]), Some(Part::Start(&[7])));
        assert_eq!(part(Codec::Vp8, &[0x90, 0xf0, 0x85, 1, 2]), None);
        assert_eq!(part(Codec::Vp8, &[]), None);
        assert_eq!(part(Codec::Opus, &[1]), Some(Part::Start(&[1])));
    }
}
