//! The proof that a device has the key with which it signs in.

use super::{
    address::UserAddress,
    keys::{PublicKey, SigningKey},
    signed::{self, Label},
};

/// What is signed: `ADDRESS 0x00 KEY` (spec: IDN-30).
fn bytes(address: &UserAddress, key: &PublicKey) -> Vec<u8> {
    [address.to_string().as_bytes(), &[0], key.as_bytes().as_slice()].concat()
}

/// Proves that this device, of this user, has this key.
pub fn prove(address: &UserAddress, key: &SigningKey) -> [u8; 64] {
    signed::sign_bytes(Label::SignIn, &bytes(address, &key.public()), key)
}

/// Verifies such a proof (spec: IDN-30).
pub fn verify(address: &UserAddress, key: &PublicKey, proof: &[u8]) -> Result<(), signed::Error> {
    signed::verify_bytes(Label::SignIn, &bytes(address, key), proof, key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;

    #[test]
    fn idn_30_a_key_is_proved_for_one_address_only() {
        let key = SigningKey::from_seed(&[1; 32]);
        let alice = UserAddress::parse("alice@north.example").unwrap();
        let proof = prove(&alice, &key);
        assert_eq!(verify(&alice, &key.public(), &proof), Ok(()));
        let mallory = UserAddress::parse("mallory@north.example").unwrap();
        assert!(verify(&mallory, &key.public(), &proof).is_err());
        assert!(verify(&alice, &SigningKey::from_seed(&[2; 32]).public(), &proof).is_err());
    }
}
