//! Who somebody is: domains, users, devices, and the keys and signatures that prove it.

pub mod address;
pub mod certificate;
pub mod keys;
pub mod signed;
