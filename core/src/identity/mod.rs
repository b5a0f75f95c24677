//! Who somebody is: domains, users, devices, and the keys and signatures that prove it.

pub mod address;
pub mod certificate;
pub mod descriptor;
pub mod keys;
pub mod pins;
pub mod possession;
pub mod sealing;
pub mod signed;

#[cfg(test)]
mod vectors;
