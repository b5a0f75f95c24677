//! A device that waits to be added: it holds one fresh KeyPackage, for one group, to be used once.

use openmls::prelude::{KeyPackage, MlsGroup, MlsMessageOut, OpenMlsProvider as _, StagedWelcome};

use super::{
    Error, Forbidden, Identity, Member, RosterLeaf, Suite, context, decode,
    error::{bug, mls},
    key_package,
    provider::Provider,
    roster,
    signer::MlsSigner,
};
use crate::{
    ids::{GroupId, KeyPackageRef},
    time::Time,
};

/// Waits for its Welcome.
#[derive(Debug)]
pub struct Joiner {
    identity: Identity,
    suite: Suite,
    group_id: GroupId,
    key_package: Vec<u8>,
    key_package_ref: KeyPackageRef,
    /// Gone once the KeyPackage is used.
    provider: Option<Provider>,
}

impl Joiner {
    /// Makes a fresh KeyPackage for the group; `seed` must never be given twice.
    pub fn new(
        identity: Identity,
        suite: Suite,
        group_id: GroupId,
        now: Time,
        seed: [u8; 32],
    ) -> Result<Self, Error> {
        let provider = Provider::new(seed);
        let bundle = KeyPackage::builder()
            .key_package_lifetime(context::lifetime(now))
            .leaf_node_capabilities(context::capabilities(suite))
            .build(suite.mls(), &provider, &MlsSigner::new(identity.key()), identity.credential_with_key()?)
            .map_err(bug("KeyPackage"))?;
        let made = bundle.into_key_package();
        let key_package_ref = key_package::summary(provider.crypto(), suite, &made)?.key_package_ref;
        let key_package = MlsMessageOut::from(made).to_bytes().map_err(bug("KeyPackage"))?;
        #[cfg(feature = "canary")]
        crate::canary::tell_storage(provider.storage());
        Ok(Self { identity, suite, group_id, key_package, key_package_ref, provider: Some(provider) })
    }

    /// The KeyPackage as MLSMessage, for the Join.
    pub fn key_package(&self) -> &[u8] {
        &self.key_package
    }

    /// Its reference (RFC 9420 §5.2).
    pub const fn key_package_ref(&self) -> KeyPackageRef {
        self.key_package_ref
    }

    /// Enters by a Welcome (MLSMessage) and the ratchet tree of the epoch that it leads to (spec: GRP-10).
    ///
    /// After an error the KeyPackage is still good: the right tree may come from elsewhere. After success it is used up.
    pub fn enter(&mut self, welcome: &[u8], tree: &[u8]) -> Result<Member, Error> {
        let provider = self.provider.take().ok_or(Error::Used)?;
        let before = provider.snapshot();
        match self.join(&provider, welcome, tree) {
            Ok((group, roster)) => Ok(Member::of(group, roster, provider, self.identity.clone(), self.suite)),
            Err(error) => {
                provider.restore(&before);
                self.provider = Some(provider);
                Err(error)
            }
        }
    }

    fn join(
        &self,
        provider: &Provider,
        welcome: &[u8],
        tree: &[u8],
    ) -> Result<(MlsGroup, Vec<RosterLeaf>), Error> {
        let (welcome, tree) = (decode::welcome(welcome)?, decode::ratchet_tree(tree)?);
        let builder = StagedWelcome::build_from_welcome(provider, &context::join_config(), welcome)
            .map_err(mls("Welcome"))?;
        let processed = builder.processed_welcome();
        if !processed.psks().is_empty() {
            return Err(Forbidden::PreSharedKey.into());
        }
        let info = processed.unverified_group_info();
        if info.group_id().as_slice() != self.group_id.as_bytes() {
            return Err(Error::WrongGroup);
        }
        if info.ciphersuite() != self.suite.mls() {
            return Err(Error::WrongSuite);
        }
        if info.extensions().ratchet_tree().is_some() {
            return Err(Error::Malformed("Welcome: it holds a ratchet tree"));
        }
        context::policy_of(info.group_context().extensions())?;
        let group = builder
            .with_ratchet_tree(tree)
            .skip_lifetime_validation()
            .build()
            .and_then(|staged| staged.into_group(provider))
            .map_err(mls("Welcome"))?;
        let roster = roster::read_new(group.public_group(), self.suite)?;
        Ok((group, roster))
    }
}
