//! SFrame as a thief would open it: frames that a server saw, tried with every key that a device ever had.
//!
//! Written from the spec's chapter on media, for audio alone: one frame in one packet, no clear bytes.

use std::{fs, path::Path};

use aes_gcm::{
    Aes128Gcm, KeyInit,
    aead::{Aead, Payload},
};
use anyhow::{Context, Result};
use hkdf::Hkdf;
use sha2::Sha256;

/// AES_128_GCM_SHA256_128 (RFC 9605).
const SUITE: [u8; 2] = [0x00, 0x04];

/// A sealed audio frame.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    kid: u64,
    counter: u64,
    header: Vec<u8>,
    text: Vec<u8>,
}

/// The audio frames in a recording of relay datagrams, from byte `from` on.
pub(crate) fn relayed(recording: &Path, from: u64) -> Result<Vec<Sealed>> {
    let bytes = fs::read(recording).with_context(|| format!("cannot read {}", recording.display()))?;
    let mut rest = bytes.get(usize::try_from(from)?..).unwrap_or_default();
    let mut frames = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let Some((datagram, after)) = after.split_at_checked(u32::from_be_bytes(*length) as usize) else {
            break;
        };
        frames.extend(payload(datagram).and_then(parse));
        rest = after;
    }
    Ok(frames)
}

/// The RTP payload of a datagram that holds a whole one (spec: MED-22).
fn payload(datagram: &[u8]) -> Option<&[u8]> {
    let (head, mut rest) = datagram.split_at_checked(11)?;
    let flags = head[10];
    if flags & 0x02 != 0 {
        rest = rest.get(1..)?;
    }
    if flags & 0x04 != 0 {
        rest = rest.get(1 + usize::from(*rest.first()?)..)?;
    }
    (flags & 0x08 == 0).then_some(rest)
}

/// Header, ciphertext and tag (RFC 9605 §4.3).
fn parse(frame: &[u8]) -> Option<Sealed> {
    let (config, rest) = frame.split_first()?;
    let (kid, rest) = value(config >> 4, rest)?;
    let (counter, text) = value(config & 0x0f, rest)?;
    let header = frame.get(..frame.len() - text.len())?.to_vec();
    (text.len() > 16).then(|| Sealed { kid, counter, header, text: text.to_vec() })
}

fn value(code: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    if code & 8 == 0 {
        return Some((u64::from(code), rest));
    }
    let (bytes, rest) = rest.split_at_checked(usize::from(code & 7) + 1)?;
    Some((bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)), rest))
}

impl Sealed {
    /// Whether a base key opens it. The epoch in the key id is not believed: every key is tried.
    pub(crate) fn opens_with(&self, base_key: &[u8]) -> bool {
        let secret = Hkdf::<Sha256>::new(None, base_key);
        let (mut key, mut nonce) = ([0; 16], [0; 12]);
        let id = self.kid.to_be_bytes();
        let info = |what: &[u8]| [what, &id, &SUITE].concat();
        if secret.expand(&info(b"SFrame 1.0 Secret key "), &mut key).is_err()
            || secret.expand(&info(b"SFrame 1.0 Secret salt "), &mut nonce).is_err()
        {
            return false;
        }
        for (byte, mask) in nonce[4..].iter_mut().zip(self.counter.to_be_bytes()) {
            *byte ^= mask;
        }
        let aad = self.aad();
        let opened =
            Aes128Gcm::new((&key).into()).decrypt((&nonce).into(), Payload { msg: &self.text, aad: &aad });
        opened.is_ok()
    }

    /// RFC 9605's header, then version, kind audio, codec Opus, track and layer from the key id.
    fn aad(&self) -> Vec<u8> {
        let context = self.kid >> 24;
        let track = u32::try_from(context >> 2).unwrap_or(u32::MAX).to_be_bytes();
        let layer = u8::try_from(context & 3).unwrap_or(u8::MAX);
        [&self.header[..], &[1, 1, 1], &track, &[layer]].concat()
    }
}
