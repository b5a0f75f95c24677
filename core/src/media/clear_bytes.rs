//! How many bytes at the beginning of a coded frame stay readable, so that packetizers and SFUs can do their work.

use crate::media::track::Codec;

/// Readable bytes of a VP8 key frame: frame tag, start code, width and height (RFC 6386 §9.1).
const VP8_KEY_FRAME: usize = 10;
/// Readable bytes of any other VP8 frame: the frame tag.
const VP8_DELTA_FRAME: usize = 3;

/// The readable bytes of a frame, by its codec and first byte; `None` if the frame is too short for them (spec: MED-02).
pub fn length(codec: Codec, frame: &[u8]) -> Option<usize> {
    let length = match codec {
        Codec::Opus => 0,
        Codec::Vp8 if starts_vp8_key_frame(*frame.first()?) => VP8_KEY_FRAME,
        Codec::Vp8 => VP8_DELTA_FRAME,
    };
    (frame.len() >= length).then_some(length)
}

/// Whether somebody who sees nothing before this frame can decode it.
pub fn is_key_frame(codec: Codec, frame: &[u8]) -> bool {
    match codec {
        Codec::Opus => true,
        Codec::Vp8 => frame.first().is_some_and(|first| starts_vp8_key_frame(*first)),
    }
}

/// RFC 6386 §9.1: the lowest bit of the first byte is 0 for key frames.
const fn starts_vp8_key_frame(first: u8) -> bool {
    first & 1 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn med_02_clear_bytes_follow_the_table() {
        assert_eq!(length(Codec::Opus, &[]), Some(0));
        assert_eq!(length(Codec::Opus, &[1, 2]), Some(0));
        assert_eq!(length(Codec::Vp8, &[0; 10]), Some(10));
        assert_eq!(length(Codec::Vp8, &[0; 9]), None);
        assert_eq!(length(Codec::Vp8, &[1, 0, 0]), Some(3));
        assert_eq!(length(Codec::Vp8, &[1, 0]), None);
        assert_eq!(length(Codec::Vp8, &[]), None);
        assert!(is_key_frame(Codec::Vp8, &[0x10]) && !is_key_frame(Codec::Vp8, &[0x11]));
    }
}
