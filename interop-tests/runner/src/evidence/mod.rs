//! What is looked at to find out the truth: bytes searched for secrets, system calls listed.

pub(crate) mod media;
pub(crate) mod network;
pub(crate) mod secrets;
pub(crate) mod sframe;
pub(crate) mod wiretap;
