//! Fuzz targets as plain functions: one for every decoder that takes what others send.
//!
//! The tests replay `corpus/TARGET/` and mutate honest inputs with a seeded generator, so that they need no other tool. A
//! fuzzer can drive the same functions for longer.

pub mod group;
pub mod identity;
pub mod media;
pub mod meeting;
pub mod mutate;
pub mod nested;
pub mod session;
pub mod wire;

/// What a target made of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passed every check that the target makes.
    Accepted,
    /// It was refused with a typed error.
    Refused,
}

impl Verdict {
    /// From a result whose value does not matter.
    pub fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Accepted } else { Self::Refused }
    }
}

/// One decoder and what it should accept.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and its folder below `corpus/`.
    pub name: &'static str,
    /// Decodes and judges one input; never panics.
    pub run: fn(&[u8]) -> Verdict,
    /// Inputs that are accepted, made by honest code; the mutations start from them.
    pub honest: fn() -> Vec<Vec<u8>>,
    /// Whether every byte is authenticated, so that nothing but the honest inputs themselves is ever accepted.
    pub authentic: bool,
}

/// Every target.
pub fn targets() -> Vec<Target> {
    [identity::TARGETS, group::TARGETS, media::TARGETS, meeting::TARGETS, session::TARGETS, wire::TARGETS]
        .concat()
}
