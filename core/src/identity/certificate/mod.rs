//! X.509 certificates that say whose key a device's key is (RFC 5280, RFC 8410).
//!
//! The organisation root certifies the device CA, the device CA certifies devices. Two certificates, one algorithm, no
//! third party; whose root is the right one is decided by [`pins`](super::pins).

mod chain;
mod fields;
mod issue;
mod name;

pub use chain::{Chain, VerifiedDevice};
pub use issue::{DeviceCa, issue_device_ca};
pub use name::DisplayName;
use prost::bytes::Bytes;
use x509_cert::der::oid::ObjectIdentifier;

use super::{address::Domain, keys::PublicKey};
use crate::time::Time;

/// The algorithm of every key and signature here (RFC 8410 §3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// Common name of every device CA's issuer (spec: IDN-07).
const ROOT_NAME: &str = "Conclave root";
/// Common name of every device CA (spec: IDN-07).
const DEVICE_CA_NAME: &str = "Conclave device CA";

/// Certificates do not prove what they should. Except for `Bug`, the other side is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not exactly device and device CA.
    #[error("a device needs exactly two certificates: its own and its device CA's")]
    Count,
    /// Larger than the limit.
    #[error("a certificate is larger than {} bytes", crate::limits::CERTIFICATE_BYTES)]
    TooLarge,
    /// Not an X.509 certificate of version 3 in DER.
    #[error("a certificate is malformed")]
    Malformed,
    /// Another algorithm than Ed25519, or a bad key.
    #[error("a certificate holds another algorithm than Ed25519, or a bad key")]
    Algorithm,
    /// An extension stands twice, or is critical and unknown.
    #[error("a certificate has an extension twice, or a critical one that is unknown")]
    Extension,
    /// The issuer's signature does not verify.
    #[error("a certificate was not signed by the issuer it needs")]
    Signature,
    /// The issuer's name is not the name of who should have issued it.
    #[error("a certificate names another issuer than the one it needs")]
    Issuer,
    /// The middle certificate may not issue, or the device's one may.
    #[error("a certificate is not of the kind that its place needs")]
    Kind,
    /// The key usage is not the one needed.
    #[error("a certificate's key may not be used for this")]
    KeyUsage,
    /// Not exactly one alternative name, or not of its form.
    #[error("a certificate does not name exactly one organisation or device")]
    Uri,
    /// Certificates of different organisations, or of another one than expected.
    #[error("a certificate is of another organisation than {0}")]
    Domain(Domain),
    /// The display name is empty, too long or holds characters that nobody can see.
    #[error("a display name must be 1 to 64 visible characters")]
    DisplayName,
    /// Valid for longer than the limit, or never.
    #[error("a certificate's validity is longer than allowed, or ends before it starts")]
    Lifetime,
    /// The time has not come.
    #[error("a certificate is not valid yet")]
    NotYetValid,
    /// The time is over.
    #[error("a certificate has expired")]
    Expired,
    /// A certificate to be issued cannot be encoded.
    #[error("a certificate cannot be encoded")]
    Bug,
}

/// That the organisation's root made this device CA certificate, whatever the time is; answers when it ends (spec: IDN-07).
pub fn check_device_ca(certificate: &Bytes, root: &PublicKey, domain: &Domain) -> Result<Time, Error> {
    let fields = fields::Fields::parse(certificate)?;
    fields.check_device_ca(root, domain)?;
    Ok(fields.not_after)
}

#[cfg(test)]
mod tests;
