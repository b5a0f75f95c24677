//! Signatures over exactly the bytes that travel, each bound to the kind of thing signed (spec: IDN-02).
//!
//! Knows nothing of who may sign what: the caller brings the key.

use conclave_proto::types::v1::Signed;
use prost::{Message, bytes::Bytes};

use super::keys::{PublicKey, SigningKey};

/// What a signature is for; no signature made for one is good for another (spec: IDN-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// A server's description of itself.
    Descriptor,
    /// An old root's word for a new one.
    RootSuccession,
    /// What a meeting is.
    Record,
    /// A change of policy.
    Policy,
    /// A host's word that one address may enter.
    AdmissionToken,
    /// What a device wants in the log.
    Submission,
    /// A domain takes out its own user.
    Withdraw,
    /// A domain says whether its own device can be reached.
    Attendance,
    /// The tip of a log.
    Head,
    /// A follower has entries on its disk.
    Acknowledgement,
    /// A device's key for sealed invitations.
    SealingKey,
    /// What an inviter tells one invitee.
    Invitation,
    /// A device has the key that it signs in with.
    SignIn,
    /// The link key admits a Join.
    Link,
    /// The link key makes a device a guest's.
    Guest,
}

impl Label {
    /// Every label.
    pub const ALL: [Self; 15] = [
        Self::Descriptor,
        Self::RootSuccession,
        Self::Record,
        Self::Policy,
        Self::AdmissionToken,
        Self::Submission,
        Self::Withdraw,
        Self::Attendance,
        Self::Head,
        Self::Acknowledgement,
        Self::SealingKey,
        Self::Invitation,
        Self::SignIn,
        Self::Link,
        Self::Guest,
    ];

    /// As it stands in the signed bytes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Descriptor => "descriptor",
            Self::RootSuccession => "root-succession",
            Self::Record => "record",
            Self::Policy => "policy",
            Self::AdmissionToken => "admission-token",
            Self::Submission => "submission",
            Self::Withdraw => "withdraw",
            Self::Attendance => "attendance",
            Self::Head => "head",
            Self::Acknowledgement => "acknowledgement",
            Self::SealingKey => "sealing-key",
            Self::Invitation => "invitation",
            Self::SignIn => "sign-in",
            Self::Link => "link",
            Self::Guest => "guest",
        }
    }
}

/// A signature, or what was signed, is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The signature does not verify.
    #[error("the signature of this {} does not verify", .0.as_str())]
    Signature(Label),
    /// The signature verifies, but the payload is not the message that the label names.
    #[error("the signed {} cannot be decoded", .0.as_str())]
    Payload(Label),
}

/// `"conclave/v1/" LABEL 0x00 PAYLOAD` (spec: IDN-02).
fn signed_bytes(label: Label, payload: &[u8]) -> Vec<u8> {
    [b"conclave/v1/", label.as_str().as_bytes(), &[0], payload].concat()
}

/// Signs bytes that travel on their own, without the envelope.
pub fn sign_bytes(label: Label, payload: &[u8], key: &SigningKey) -> [u8; 64] {
    key.sign_raw(&signed_bytes(label, payload))
}

/// Verifies a signature over bytes that travelled on their own.
pub fn verify_bytes(label: Label, payload: &[u8], signature: &[u8], key: &PublicKey) -> Result<(), Error> {
    if key.verify_raw(&signed_bytes(label, payload), signature) {
        Ok(())
    } else {
        Err(Error::Signature(label))
    }
}

/// Signs a payload that is encoded already.
pub fn sign(label: Label, payload: impl Into<Bytes>, key: &SigningKey) -> Signed {
    let payload = payload.into();
    let signature = Bytes::copy_from_slice(&sign_bytes(label, &payload, key));
    Signed { payload, signature }
}

/// Encodes a message once and signs those bytes.
pub fn sign_message(label: Label, message: &impl Message, key: &SigningKey) -> Signed {
    sign(label, message.encode_to_vec(), key)
}

/// Verifies, and only then gives the payload out (spec: IDN-03).
pub fn verify<'a>(label: Label, signed: &'a Signed, key: &PublicKey) -> Result<&'a Bytes, Error> {
    verify_bytes(label, &signed.payload, &signed.signature, key)?;
    Ok(&signed.payload)
}

/// Verifies, then decodes (spec: IDN-03).
pub fn verify_decode<M: Message + Default>(
    label: Label,
    signed: &Signed,
    key: &PublicKey,
) -> Result<M, Error> {
    M::decode(verify(label, signed, key)?.clone()).map_err(|_| Error::Payload(label))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use conclave_proto::types::v1::{Head, SealingKey};

    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    #[test]
    fn idn_02_a_signature_is_good_for_one_label_key_and_payload() {
        let signed = sign(Label::Head, vec![1, 2, 3], &key(1));
        assert_eq!(verify(Label::Head, &signed, &key(1).public()).unwrap().as_ref(), [1, 2, 3]);
        for other in Label::ALL.into_iter().filter(|label| *label != Label::Head) {
            assert_eq!(verify(other, &signed, &key(1).public()), Err(Error::Signature(other)));
        }
        assert_eq!(verify(Label::Head, &signed, &key(2).public()), Err(Error::Signature(Label::Head)));
        let changed = Signed { payload: vec![1, 2, 4].into(), ..signed.clone() };
        assert_eq!(verify(Label::Head, &changed, &key(1).public()), Err(Error::Signature(Label::Head)));
        let cut = Signed { signature: signed.signature.slice(..63), ..signed };
        assert_eq!(verify(Label::Head, &cut, &key(1).public()), Err(Error::Signature(Label::Head)));
    }

    #[test]
    fn idn_02_the_signed_bytes_are_prefix_label_zero_payload() {
        let signature = sign_bytes(Label::Link, b"payload", &key(1));
        assert!(key(1).public().verify_raw(b"conclave/v1/link\0payload", &signature));
        let labels: std::collections::BTreeSet<_> = Label::ALL.iter().map(|label| label.as_str()).collect();
        assert_eq!(labels.len(), Label::ALL.len());
        assert!(labels.iter().all(|label| !label.contains('\0')));
    }

    #[test]
    fn idn_03_nothing_is_decoded_before_its_signature_verifies() {
        let garbage = sign(Label::SealingKey, vec![0xff; 9], &key(1));
        let decode =
            |signed: &Signed, by| verify_decode::<SealingKey>(Label::SealingKey, signed, &key(by).public());
        assert_eq!(decode(&garbage, 1), Err(Error::Payload(Label::SealingKey)));
        assert_eq!(decode(&garbage, 2), Err(Error::Signature(Label::SealingKey)));
    }

    #[test]
    fn idn_03_fields_of_a_newer_version_do_not_break_the_signature() {
        let mut payload = Head { session: 7, ..Head::default() }.encode_to_vec();
        payload.extend([0xfa, 0x3f, 1, b'x']); // Field 1023, unknown here.
        let signed = sign(Label::Head, payload.clone(), &key(1));
        let head: Head = verify_decode(Label::Head, &signed, &key(1).public()).unwrap();
        assert_eq!(head.session, 7);
        assert_eq!(signed.payload, payload);
    }
}
