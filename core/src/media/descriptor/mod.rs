//! The dependency descriptor of a video packet, as far as a server needs it: the RTP header extension of AV1, which serves any
//! codec.
//!
//! Servers read it where frames are sealed. Nothing authenticates it: what is wrong in it harms the track that it came with, and
//! no other. Reading is bounded by its bytes.

mod bits;
mod structure;
#[cfg(test)]
mod tests;

use crate::media::track::Temporal;

use bits::Bits;

pub use structure::Structure;

/// The name under which it is negotiated.
pub const URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
/// Bytes that every descriptor begins with.
pub const LEAST_BYTES: usize = 3;

/// What a descriptor says of its packet and the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// The packet is the frame's first.
    pub starts: bool,
    /// The packet is the frame's last.
    pub ends: bool,
    /// The frame's number in its stream.
    pub number: u16,
    /// The frame can be left out for whoever gets lower temporal layers only.
    pub temporal: Temporal,
    /// It carries a structure: its frame needs no other.
    pub is_key: bool,
    /// Temporal layers that can be decoded from this frame on, a bit for each.
    switches: u8,
}

impl Described {
    /// Whether who got the frames up to one temporal layer can get those up to a higher one from this frame on (spec: MED-27). A
    /// frame that was not among the former must also be one with which its own layer begins.
    pub fn lets_switch(&self, from: Temporal, to: Temporal) -> bool {
        let switches_to = |temporal: Temporal| self.switches & 1 << temporal.number() != 0;
        switches_to(to) && (self.temporal <= from || switches_to(self.temporal))
    }
}

/// What a frame is to each decode target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Indications {
    /// The targets that it belongs to, a bit for each.
    inside: u32,
    /// Those that can begin with it.
    switch: u32,
}

impl Indications {
    /// Two bits for each of up to 32 targets: not in it, discardable, switch, required.
    fn read(bits: &mut Bits<'_>, targets: u32) -> Option<Self> {
        let mut indications = Self::default();
        for target in 0..targets {
            let bit = 1_u32.checked_shl(target)?;
            match bits.number(2)? {
                0 => {}
                2 => {
                    indications.inside |= bit;
                    indications.switch |= bit;
                }
                _ => indications.inside |= bit,
            }
        }
        Some(indications)
    }

    const fn contains(self, target: u32) -> bool {
        self.inside >> target & 1 == 1
    }

    const fn switches(self, target: u32) -> bool {
        self.switch >> target & 1 == 1
    }
}

/// Reads a packet's descriptor by the structure of its stream, which it may replace; `None` if it is not of its form, or of no
/// structure that is known (spec: MED-26).
pub fn read(bytes: &[u8], known: &mut Option<Structure>) -> Option<Described> {
    let (head, extended) = bytes.split_first_chunk::<LEAST_BYTES>()?;
    let [flags, high, low] = *head;
    let mut bits = Bits::new(extended);
    let [mut is_key, mut active, mut own_indications] = [false; 3];
    if !extended.is_empty() {
        [is_key, active, own_indications] = [bits.flag()?, bits.flag()?, bits.flag()?];
        bits.number(2)?;
    }
    let fresh = if is_key { Some(Structure::read(&mut bits)?) } else { None };
    let structure = fresh.as_ref().or(known.as_ref())?;
    let template = structure.template(flags & 0x3f)?;
    if active {
        bits.number(structure.target_count())?;
    }
    let indications = if own_indications {
        Indications::read(&mut bits, structure.target_count())?
    } else {
        template.indications
    };
    let described = Described {
        starts: flags & 0x80 != 0,
        ends: flags & 0x40 != 0,
        number: u16::from_be_bytes([high, low]),
        temporal: template.temporal,
        is_key,
        switches: structure.switches(indications),
    };
    if fresh.is_some() {
        *known = fresh;
    }
    Some(described)
}
