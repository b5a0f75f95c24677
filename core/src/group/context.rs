//! What every group, leaf and KeyPackage declares: the policy extension, X.509 credentials, long lifetimes.

use std::time::Duration;

use openmls::prelude::{
    Capabilities, CredentialType, Extension, ExtensionType, Extensions, GroupContext, LeafNode, Lifetime,
    MlsGroupCreateConfig, MlsGroupJoinConfig, PURE_PLAINTEXT_WIRE_FORMAT_POLICY, ProtocolVersion,
    RequiredCapabilitiesExtension, SenderRatchetConfiguration, UnknownExtension, VerifiableCiphersuite,
};

use super::{Error, Suite};
use crate::{limits, time::Time};

/// The GroupContext extension that carries the policy (private use range) (spec: GRP-03).
pub const POLICY_EXTENSION: u16 = 0xF0C0;

/// Application messages are padded to a multiple of this.
const PADDING: usize = 128;
/// A KeyPackage's lifetime says nothing, since freshness comes from the Join; it only has to hold now.
const BACKDATED: Duration = Duration::from_hours(30 * 24);
const LASTS: Duration = Duration::from_hours(10 * 365 * 24);

/// What every leaf declares (spec: GRP-02).
pub(super) fn capabilities(suite: Suite) -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&[suite.mls()]),
        Some(&[ExtensionType::Unknown(POLICY_EXTENSION)]),
        Some(&[]),
        Some(&[CredentialType::X509]),
    )
}

/// Backdated and long.
pub(super) fn lifetime(now: Time) -> Lifetime {
    Lifetime::init((now - BACKDATED).as_ms() / 1000, (now + LASTS).as_ms() / 1000)
}

fn required_capabilities() -> RequiredCapabilitiesExtension {
    RequiredCapabilitiesExtension::new(
        &[ExtensionType::Unknown(POLICY_EXTENSION)],
        &[],
        &[CredentialType::X509],
    )
}

/// The whole list of GroupContext extensions under a policy (spec: GRP-03).
pub(super) fn extensions(policy: &[u8]) -> Result<Extensions<GroupContext>, Error> {
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required_capabilities()),
        Extension::Unknown(POLICY_EXTENSION, UnknownExtension(policy.to_vec())),
    ])
    .map_err(super::error::bug("group context extensions"))
}

/// The policy, if the list is exactly what it has to be: required capabilities and policy (spec: GRP-03).
pub(super) fn policy_of(extensions: &Extensions<GroupContext>) -> Result<&[u8], Error> {
    if extensions.iter().count() != 2 {
        return Err(Error::Context("it must have required_capabilities and the policy, and nothing else"));
    }
    if extensions.required_capabilities() != Some(&required_capabilities()) {
        return Err(Error::Context("required_capabilities must name the policy extension and X.509"));
    }
    let UnknownExtension(policy) =
        extensions.unknown(POLICY_EXTENSION).ok_or(Error::Context("the policy is missing"))?;
    if policy.len() > limits::POLICY_BYTES {
        return Err(Error::TooLarge { what: "policy", bytes: policy.len(), limit: limits::POLICY_BYTES });
    }
    Ok(policy)
}

/// Whether a leaf declares what every leaf has to, and holds no extension of its own (spec: GRP-02).
pub(super) fn check_leaf_form(leaf: &LeafNode, suite: Suite) -> Result<(), Error> {
    let declared = leaf.capabilities();
    let covered = declared.versions().contains(&ProtocolVersion::Mls10)
        && declared.ciphersuites().contains(&VerifiableCiphersuite::from(suite.mls()))
        && declared.extensions().contains(&ExtensionType::Unknown(POLICY_EXTENSION))
        && declared.credentials().contains(&CredentialType::X509);
    if !covered {
        return Err(Error::Leaf("its capabilities do not cover what the protocol needs"));
    }
    if leaf.extensions().iter().next().is_some() {
        return Err(Error::Leaf("it has an extension"));
    }
    Ok(())
}

/// Handshakes in the clear for the servers, no tree inside Welcomes (spec: GRP-04).
pub(super) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .max_past_epochs(limits::PAST_EPOCHS)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(false)
        .sender_ratchet_configuration(sender_ratchet())
        .build()
}

pub(super) fn create_config(suite: Suite, policy: &[u8], now: Time) -> Result<MlsGroupCreateConfig, Error> {
    Ok(MlsGroupCreateConfig::builder()
        .ciphersuite(suite.mls())
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .max_past_epochs(limits::PAST_EPOCHS)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(false)
        .sender_ratchet_configuration(sender_ratchet())
        .capabilities(capabilities(suite))
        .lifetime(lifetime(now))
        .with_group_context_extensions(extensions(policy)?)
        .build())
}

/// The log is ordered, but submissions overtake each other on their way to it; a device that was away may have missed many.
fn sender_ratchet() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(limits::MESSAGES_OUT_OF_ORDER, limits::MESSAGES_MISSED) // GRP-14
}
