//! Somebody without an account comes by a link: the proof that makes a device a guest's (spec: IDN-31).

use crate::{
    identity::{
        address::{DeviceUri, Domain, Error, UserAddress, UserKind},
        keys::PublicKey,
        signed::{self, Label},
    },
    ids::MeetingId,
    meeting::link::LinkSecret,
};

/// What a device of this key is called as a guest of an organisation: its key alone says (spec: IDN-32).
pub fn device_of(key: &PublicKey, domain: &Domain) -> Result<DeviceUri, Error> {
    let id = key.device_id();
    let name = data_encoding::HEXLOWER.encode(&id);
    Ok(DeviceUri::new(UserAddress::new(UserKind::Guest, &name, domain.clone())?, id))
}

/// Proves that whoever has this device has the link too.
pub fn prove(secret: &LinkSecret, meeting: &MeetingId, device: &DeviceUri) -> [u8; 64] {
    signed::sign_bytes(Label::Guest, &bytes(meeting, device), &secret.link_key())
}

/// Verifies such a proof by the link key that stands in the policy.
pub fn verify(
    link_key: &PublicKey,
    meeting: &MeetingId,
    device: &DeviceUri,
    proof: &[u8],
) -> Result<(), signed::Error> {
    signed::verify_bytes(Label::Guest, &bytes(meeting, device), proof, link_key)
}

/// meeting || device URI.
fn bytes(meeting: &MeetingId, device: &DeviceUri) -> Vec<u8> {
    [meeting.as_bytes().as_slice(), device.to_string().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;
    use crate::identity::keys::SigningKey;

    #[test]
    fn idn_31_a_link_makes_one_device_a_guest_of_one_meeting() {
        let (secret, meeting) = (LinkSecret::from_bytes([1; 32]), MeetingId::from_bytes([2; 32]));
        let domain = Domain::parse("north.example").unwrap();
        let device = |seed| device_of(&SigningKey::from_seed(&[seed; 32]).public(), &domain).unwrap();
        let (proof, link_key) = (prove(&secret, &meeting, &device(3)), secret.link_key().public());
        assert_eq!(verify(&link_key, &meeting, &device(3), &proof), Ok(()));
        assert!(verify(&link_key, &meeting, &device(4), &proof).is_err());
        assert!(verify(&link_key, &MeetingId::from_bytes([5; 32]), &device(3), &proof).is_err());
        let other = LinkSecret::from_bytes([6; 32]).link_key().public();
        assert!(verify(&other, &meeting, &device(3), &proof).is_err());
    }

    #[test]
    fn idn_32_a_guests_address_is_its_keys() {
        let key = SigningKey::from_seed(&[3; 32]).public();
        let device = device_of(&key, &Domain::parse("north.example").unwrap()).unwrap();
        let id = data_encoding::HEXLOWER.encode(&key.device_id());
        assert_eq!(device.to_string(), format!("conclave://north.example/g/{id}/d/{id}"));
    }
}
