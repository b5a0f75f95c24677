//! Mutations of honest inputs, the same for the same seed.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// Lengths, counts and tags that decoders stumble over.
const INTERESTING: [u8; 12] = [0x00, 0x01, 0x02, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xfe, 0xff, 0x30];
/// No mutation grows an input beyond this.
const LARGEST: usize = 256 * 1024;

/// Draws mutations.
#[derive(Debug)]
pub struct Mutator(ChaCha8Rng);

impl Mutator {
    /// The same seed draws the same mutations.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// One of the inputs, changed in one to four places.
    pub fn mutate(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.pick(inputs).cloned().unwrap_or_default();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes, inputs);
        }
        bytes.truncate(LARGEST);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let at = self.below(bytes.len().max(1));
        match self.below(9) {
            0 => self.set(bytes, at, |old, drawn| old ^ (1 << (drawn & 7))),
            1 => self.set(bytes, at, |_, drawn| drawn),
            2 => self.set(bytes, at, |_, drawn| INTERESTING[usize::from(drawn) % INTERESTING.len()]),
            3 => self.set(bytes, at, |old, drawn| old.wrapping_add(drawn % 9).wrapping_sub(4)),
            4 => bytes.truncate(at),
            5 => {
                let to = at + self.below(bytes.len() - at.min(bytes.len()) + 1).min(64);
                bytes.drain(at.min(bytes.len())..to.min(bytes.len()));
            }
            6 => {
                let mut drawn = vec![0; 1 + self.below(16)];
                self.0.fill_bytes(&mut drawn);
                bytes.splice(at.min(bytes.len())..at.min(bytes.len()), drawn);
            }
            7 => {
                let to = (at + 1 + self.below(256)).min(bytes.len());
                let copy = bytes.get(at..to).unwrap_or_default().to_vec();
                bytes.splice(at.min(bytes.len())..at.min(bytes.len()), copy);
            }
            _ => {
                // The beginning of one input, the end of another.
                let other = self.pick(inputs).cloned().unwrap_or_default();
                bytes.truncate(at);
                bytes.extend(other.get(self.below(other.len().max(1))..).unwrap_or_default());
            }
        }
    }

    fn set(&mut self, bytes: &mut [u8], at: usize, new: impl Fn(u8, u8) -> u8) {
        let drawn = self.0.next_u32().to_le_bytes()[0];
        if let Some(byte) = bytes.get_mut(at) {
            *byte = new(*byte, drawn);
        }
    }

    fn pick<'a>(&mut self, inputs: &'a [Vec<u8>]) -> Option<&'a Vec<u8>> {
        inputs.get(self.below(inputs.len().max(1)))
    }

    /// From 0 to `bound` - 1; a slight bias does not matter here.
    fn below(&mut self, bound: usize) -> usize {
        self.0.next_u32() as usize % bound.max(1)
    }
}
