//! The structure that a key frame's descriptor carries: what templates there are, and what may be left out for whom.

use super::{Indications, bits::Bits};
use crate::media::track::Temporal;

/// Most templates: their ids have six bits.
pub(super) const TEMPLATES: usize = 64;
/// Most decode targets.
const TARGETS: u32 = 32;
/// Same spatial and temporal layer as the template before.
const SAME: u32 = 0;
/// The next temporal layer.
const NEXT_TEMPORAL: u32 = 1;
/// The next spatial layer.
const NEXT_SPATIAL: u32 = 2;

/// What the frames of a stream are like, until its next key frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// The id of the first template.
    offset: u8,
    templates: Vec<Template>,
    /// For each decode target the highest temporal layer in it.
    targets: Vec<Temporal>,
}

/// One kind of frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) temporal: Temporal,
    pub(super) indications: Indications,
}

impl Structure {
    /// Reads a template dependency structure.
    pub(super) fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let offset = u8::try_from(bits.number(6)?).ok()?;
        let count = bits.number(5)? + 1;
        let (layers, spatial_layers) = layers(bits)?;
        let mut templates = Vec::with_capacity(layers.len());
        for temporal in layers {
            templates.push(Template { temporal, indications: Indications::read(bits, count)? });
        }
        for _ in &templates {
            while bits.flag()? {
                bits.number(4)?;
            }
        }
        let chains = bits.one_of(count + 1)?;
        if chains > 0 {
            for _ in 0..count {
                bits.one_of(chains)?;
            }
            for _ in 0..templates.len() * usize::try_from(chains).ok()? {
                bits.number(4)?;
            }
        }
        if bits.flag()? {
            for _ in 0..spatial_layers {
                bits.number(32)?;
            }
        }
        let targets = (0..count).map(|target| highest(&templates, target)).collect();
        Some(Self { offset, templates, targets })
    }

    /// How many decode targets there are.
    pub(super) fn target_count(&self) -> u32 {
        u32::try_from(self.targets.len()).unwrap_or(TARGETS).min(TARGETS)
    }

    /// The template of an id; `None` if it is not of this structure.
    pub(super) fn template(&self, id: u8) -> Option<Template> {
        let place = id.wrapping_sub(self.offset) & 0x3f;
        self.templates.get(usize::from(place)).copied()
    }

    /// The temporal layers to which a frame with these indications lets switch, a bit for each; what holds for the highest holds
    /// for all that are not there.
    pub(super) fn switches(&self, indications: Indications) -> u8 {
        let mut mask = 0;
        let mut highest = Temporal::BASE;
        for (target, temporal) in (0_u32..).zip(&self.targets) {
            highest = highest.max(*temporal);
            if indications.switches(target) {
                mask |= 1 << temporal.number();
            }
        }
        if mask & 1 << highest.number() != 0 {
            mask |= !0 << highest.number();
        }
        mask
    }
}

/// The temporal layers of the templates in their order, and how many spatial layers there are.
fn layers(bits: &mut Bits<'_>) -> Option<(Vec<Temporal>, u32)> {
    let (mut temporal, mut spatial) = (0_u8, 1);
    let mut layers = Vec::new();
    loop {
        if layers.len() == TEMPLATES {
            return None;
        }
        layers.push(Temporal::at_most(temporal));
        match bits.number(2)? {
            SAME => {}
            NEXT_TEMPORAL => temporal = temporal.saturating_add(1),
            NEXT_SPATIAL => {
                temporal = 0;
                spatial += 1;
            }
            _ => return Some((layers, spatial)),
        }
    }
}

/// The highest temporal layer in a decode target.
fn highest(templates: &[Template], target: u32) -> Temporal {
    let inside = templates.iter().filter(|template| template.indications.contains(target));
    inside.map(|template| template.temporal).max().unwrap_or(Temporal::BASE)
}
