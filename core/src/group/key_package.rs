//! A KeyPackage, looked at before anybody acts on it.

use openmls::prelude::{KeyPackage, OpenMlsCrypto, ProtocolVersion};
use openmls_rust_crypto::RustCrypto;

use super::{
    Error, Suite, context, credential, decode,
    error::{bug, mls},
};
use crate::{
    identity::{address::DeviceUri, certificate::Chain, keys::PublicKey},
    ids::KeyPackageRef,
};

/// What a KeyPackage says, its signatures verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPackageSummary {
    /// RFC 9420 §5.2.
    pub key_package_ref: KeyPackageRef,
    /// Its certificates; the group layer has checked their form, not whom they come from.
    pub chain: Chain,
    /// The key that it is signed with, which is the certificate's.
    pub signature_key: PublicKey,
}

impl KeyPackageSummary {
    /// Whose device it is, by its certificate.
    pub const fn device(&self) -> &DeviceUri {
        self.chain.claimed_uri()
    }
}

/// Checks a KeyPackage for a group of `suite`, an MLSMessage (spec: GRP-02, GRP-06, GRP-08).
pub fn check(suite: Suite, bytes: &[u8]) -> Result<KeyPackageSummary, Error> {
    let crypto = RustCrypto::default();
    summary(&crypto, suite, &read(&crypto, bytes)?)
}

pub(super) fn read(crypto: &impl OpenMlsCrypto, bytes: &[u8]) -> Result<KeyPackage, Error> {
    decode::key_package(bytes)?.validate(crypto, ProtocolVersion::Mls10).map_err(mls("KeyPackage"))
}

pub(super) fn summary(
    crypto: &impl OpenMlsCrypto,
    suite: Suite,
    key_package: &KeyPackage,
) -> Result<KeyPackageSummary, Error> {
    if key_package.ciphersuite() != suite.mls() {
        return Err(Error::WrongSuite);
    }
    if key_package.extensions().iter().next().is_some() {
        return Err(Error::Leaf("its KeyPackage has an extension"));
    }
    let leaf = key_package.leaf_node();
    context::check_leaf_form(leaf, suite)?;
    let chain = credential::decode(leaf.credential(), leaf.signature_key().as_slice())?;
    let hash = key_package.hash_ref(crypto).map_err(bug("KeyPackageRef"))?;
    let key_package_ref = KeyPackageRef::parse(hash.as_slice())
        .map_err(|error| Error::Bug { what: "KeyPackageRef", reason: error.to_string() })?;
    Ok(KeyPackageSummary { key_package_ref, signature_key: *chain.claimed_key(), chain })
}
