//! A member that speaks MLS correctly and the protocol wrongly: it makes what honest code cannot make.
//!
//! It drives OpenMLS without any of our checks. Everything it gives out is well formed, correctly signed, and to be refused.

use conclave_core::{
    group::{Identity, POLICY_EXTENSION, Suite},
    ids::{GroupId, LeafIndex},
};
use openmls::{
    prelude::{
        tls_codec::{DeserializeBytes as _, Serialize as _},
        *,
    },
    schedule::PreSharedKeyId,
};
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::signatures::{Signer, SignerError};

use crate::people::START;

/// A dishonest member, or one who would like to be.
pub struct Forger {
    provider: OpenMlsRustCrypto,
    identity: Identity,
    suite: Suite,
    group: Option<MlsGroup>,
    /// Whether its Welcomes hold the ratchet tree, which a server should give.
    pub tree_in_welcome: bool,
}

/// One proposal of a forged commit.
#[derive(Clone, Debug)]
pub enum Act {
    /// Adds a KeyPackage (MLSMessage).
    Add(Vec<u8>),
    /// Removes a leaf.
    Remove(LeafIndex),
    /// Puts these extensions in the place of the group context's.
    Context(Vec<Extension>),
    /// Mixes in a pre-shared key.
    PreSharedKey,
}

/// How a leaf differs from what every leaf has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Does not declare the policy extension.
    NoPolicyCapability,
    /// Has a Basic credential.
    BasicCredential,
    /// Holds an extension of its own.
    Extension,
    /// The KeyPackage is marked as a last resort.
    LastResort,
    /// The leaf's signature key is not the certificate's.
    ForeignKey,
}

impl Forger {
    /// Outside any group.
    pub fn new(identity: Identity, suite: Suite) -> Self {
        Self { provider: OpenMlsRustCrypto::default(), identity, suite, group: None, tree_in_welcome: false }
    }

    /// A KeyPackage, as MLSMessage; without a flaw it is good.
    pub fn key_package(&self, flaw: Option<Flaw>) -> Vec<u8> {
        let mut extensions = vec![ExtensionType::Unknown(POLICY_EXTENSION)];
        let mut leaf_extensions = Extensions::empty();
        if flaw == Some(Flaw::NoPolicyCapability) {
            extensions.clear();
        }
        if flaw == Some(Flaw::Extension) {
            extensions.push(ExtensionType::Unknown(0xF0C1));
            let extension = Extension::Unknown(0xF0C1, UnknownExtension(vec![1]));
            leaf_extensions = Extensions::single(extension).expect("a leaf extension");
        }
        if flaw == Some(Flaw::LastResort) {
            extensions.push(ExtensionType::LastResort);
        }
        let credentials = [CredentialType::X509, CredentialType::Basic];
        let capabilities = Capabilities::new(
            Some(&[ProtocolVersion::Mls10]),
            Some(&[ciphersuite(self.suite)]),
            Some(&extensions),
            None,
            Some(&credentials[..if flaw == Some(Flaw::BasicCredential) { 2 } else { 1 }]),
        );
        let signer =
            if flaw == Some(Flaw::ForeignKey) { Key::of_seed([0xfe; 32]) } else { Key::of(&self.identity) };
        let mut credential = credential(&self.identity);
        credential.signature_key = signer.public().into();
        if flaw == Some(Flaw::BasicCredential) {
            credential.credential = BasicCredential::new(b"alice@north.example".to_vec()).into();
        }
        let mut builder = KeyPackage::builder()
            .key_package_lifetime(Lifetime::init(START.as_ms() / 1000, u64::MAX / 2))
            .leaf_node_capabilities(capabilities)
            .leaf_node_extensions(leaf_extensions);
        if flaw == Some(Flaw::LastResort) {
            builder = builder.mark_as_last_resort();
        }
        let bundle = builder
            .build(ciphersuite(self.suite), &self.provider, &signer, credential)
            .expect("a KeyPackage");
        bytes(&MlsMessageOut::from(bundle.into_key_package()))
    }

    /// Founds a group with any extensions in its context; gives the GroupInfo, with the tree inside if wished.
    pub fn found(&mut self, group_id: GroupId, context: Vec<Extension>, with_tree: bool) -> Vec<u8> {
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(ciphersuite(self.suite))
            .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
            .capabilities(capabilities(self.suite))
            .lifetime(Lifetime::init(START.as_ms() / 1000, u64::MAX / 2))
            .with_group_context_extensions(Extensions::from_vec(context).expect("extensions"))
            .build();
        let signer = Key::of(&self.identity);
        let id = openmls::prelude::GroupId::from_slice(group_id.as_bytes());
        let group =
            MlsGroup::new_with_group_id(&self.provider, &signer, &config, id, credential(&self.identity))
                .expect("a group");
        self.group = Some(group);
        self.group_info(with_tree)
    }

    /// The GroupInfo of the present epoch, signed by the forger.
    pub fn group_info(&self, with_tree: bool) -> Vec<u8> {
        let signer = Key::of(&self.identity);
        let info = self.group().export_group_info(self.provider.crypto(), &signer, with_tree);
        bytes(&info.expect("a GroupInfo"))
    }

    /// Enters a group honestly.
    pub fn enter(&mut self, welcome: &[u8], tree: &[u8]) {
        let MlsMessageBodyIn::Welcome(welcome) = parse(welcome).extract() else { panic!("not a Welcome") };
        let (tree, _) = RatchetTreeIn::tls_deserialize_bytes(tree).expect("a tree");
        let config =
            MlsGroupJoinConfig::builder().wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY).build();
        let staged = StagedWelcome::build_from_welcome(&self.provider, &config, welcome)
            .and_then(|builder| builder.with_ratchet_tree(tree).skip_lifetime_validation().build())
            .expect("a Welcome for this forger");
        self.group = Some(staged.into_group(&self.provider).expect("a group"));
    }

    /// The forger's own leaf.
    pub fn leaf(&self) -> LeafIndex {
        LeafIndex(self.group().own_leaf_index().u32())
    }

    /// Follows somebody else's commit.
    pub fn follow(&mut self, handshake: &[u8]) {
        let message = parse(handshake).try_into_protocol_message().expect("a handshake");
        let group = self.group.as_mut().expect("a member");
        let processed = group.process_message(&self.provider, message).expect("a good commit");
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            panic!("not a commit");
        };
        group.merge_staged_commit(&self.provider, *staged).expect("a merge");
    }

    /// A commit with any proposals and any authenticated data: a ghost, a Remove by nobody, a policy by a participant.
    ///
    /// Gives the handshake and the Welcome; the forger stays in the old epoch.
    pub fn commit(&mut self, acts: Vec<Act>, annotations: Vec<u8>) -> (Vec<u8>, Option<Vec<u8>>) {
        self.build(acts, annotations, None)
    }

    /// An application message, as MLSMessage.
    pub fn say(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let signer = Key::of(&self.identity);
        let group = self.group.as_mut().expect("a member");
        bytes(&group.create_message(&self.provider, &signer, plaintext).expect("a message"))
    }

    /// A commit that gives the forger's leaf another identity: another device, or somebody else's key.
    pub fn take_over(&mut self, identity: &Identity, annotations: Vec<u8>) -> Vec<u8> {
        self.build(Vec::new(), annotations, Some(identity)).0
    }

    fn build(
        &mut self,
        acts: Vec<Act>,
        annotations: Vec<u8>,
        new: Option<&Identity>,
    ) -> (Vec<u8>, Option<Vec<u8>>) {
        let signer = Key::of(&self.identity);
        let group = self.group.as_mut().expect("a member");
        let (mut adds, mut removes, mut context) = (Vec::new(), Vec::new(), None);
        for act in acts {
            match act {
                Act::Add(bytes) => adds.push(key_package(&self.provider, &bytes)),
                Act::Remove(leaf) => removes.push(LeafNodeIndex::new(leaf.0)),
                Act::Context(extensions) => {
                    context = Some(Extensions::from_vec(extensions).expect("extensions"));
                }
                Act::PreSharedKey => {
                    let id = PreSharedKeyId::external(b"psk".to_vec(), vec![0; 32]);
                    id.store(&self.provider, b"a secret").expect("a stored key");
                    let proposed = group.propose_pre_shared_key_by_value(&self.provider, &signer, id);
                    proposed.expect("a proposal");
                }
            }
        }
        group.set_aad(annotations);
        let mut builder =
            group.commit_builder().force_self_update(true).propose_adds(adds).propose_removals(removes);
        if let Some(extensions) = context {
            builder = builder.propose_group_context_extensions(extensions).expect("extensions");
        }
        let builder = builder
            .load_psks(self.provider.storage())
            .expect("no pre-shared keys that are not there")
            .use_ratchet_tree_extension(self.tree_in_welcome);
        let (rand, crypto) = (self.provider.rand(), self.provider.crypto());
        let built = match new {
            None => builder.build(rand, crypto, &signer, |_| true),
            Some(identity) => {
                let bundle =
                    NewSignerBundle { signer: &Key::of(identity), credential_with_key: credential(identity) };
                builder.build_with_new_signer(rand, crypto, &signer, bundle, |_| true)
            }
        };
        let staged = built.expect("a commit").stage_commit(&self.provider).expect("a commit");
        let (handshake, welcome, _) = staged.into_messages();
        group.clear_pending_commit(self.provider.storage()).expect("nothing pending");
        group.clear_pending_proposals(self.provider.storage()).expect("no proposals");
        (bytes(&handshake), welcome.as_ref().map(bytes))
    }

    /// A Remove that travels alone, and the commit that refers to it.
    pub fn remove_by_reference(&mut self, leaf: LeafIndex) -> (Vec<u8>, Vec<u8>) {
        let signer = Key::of(&self.identity);
        let group = self.group.as_mut().expect("a member");
        let (proposal, _) = group
            .propose_remove_member(&self.provider, &signer, LeafNodeIndex::new(leaf.0))
            .expect("a proposal");
        let (handshake, _) = self.build(Vec::new(), Vec::new(), None);
        (bytes(&proposal), handshake)
    }

    /// A commit from outside the group; it removes the member whose signature key `claimed` certifies, if there is one.
    pub fn external_commit(&self, group_info: &[u8], claimed: &Identity) -> Vec<u8> {
        let MlsMessageBodyIn::GroupInfo(info) = parse(group_info).extract() else {
            panic!("not a GroupInfo")
        };
        let signer = Key::of(&self.identity);
        let capabilities = LeafNodeParameters::builder().with_capabilities(capabilities(self.suite)).build();
        let group = MlsGroup::external_commit_builder()
            .skip_lifetime_validation()
            .build_group(&self.provider, info, credential(claimed))
            .expect("an external commit");
        let (_, bundle) = group
            .leaf_node_parameters(capabilities)
            .load_psks(self.provider.storage())
            .expect("no pre-shared keys")
            .build(self.provider.rand(), self.provider.crypto(), &signer, |_| true)
            .expect("an external commit")
            .finalize(&self.provider)
            .expect("an external commit");
        bytes(&bundle.into_commit())
    }

    fn group(&self) -> &MlsGroup {
        self.group.as_ref().expect("a member")
    }
}

/// The group context that every group has to have.
pub fn good_context(policy: &[u8]) -> Vec<Extension> {
    let required = RequiredCapabilitiesExtension::new(
        &[ExtensionType::Unknown(POLICY_EXTENSION)],
        &[],
        &[CredentialType::X509],
    );
    let policy = Extension::Unknown(POLICY_EXTENSION, UnknownExtension(policy.to_vec()));
    vec![Extension::RequiredCapabilities(required), policy]
}

/// The same commit with another confirmation tag: servers cannot see that it is wrong, members can.
///
/// # Panics
/// If it is not a commit of one of the protocol's suites, whose tags are 32 bytes.
pub fn wrong_confirmation_tag(handshake: &[u8]) -> Vec<u8> {
    let mut forged = handshake.to_vec();
    let tags = forged.len() - 66; // Confirmation tag and membership tag, each with its length before it.
    assert_eq!((forged[tags], forged[tags + 33]), (32, 32), "tags of 32 bytes");
    forged[tags + 1] ^= 1;
    forged
}

fn ciphersuite(suite: Suite) -> Ciphersuite {
    let code_point = u16::try_from(suite.code_point()).expect("a code point");
    Ciphersuite::try_from(code_point).expect("a cipher suite")
}

fn capabilities(suite: Suite) -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&[ciphersuite(suite)]),
        Some(&[ExtensionType::Unknown(POLICY_EXTENSION), ExtensionType::Unknown(0xF0C1)]),
        None,
        Some(&[CredentialType::X509]),
    )
}

fn credential(identity: &Identity) -> CredentialWithKey {
    let mut content = Vec::new();
    for certificate in identity.chain().certificates() {
        VLByteSlice(certificate).tls_serialize(&mut content).expect("a credential");
    }
    CredentialWithKey {
        credential: Credential::new(CredentialType::X509, content),
        signature_key: identity.chain().claimed_key().as_bytes().as_slice().into(),
    }
}

fn key_package(provider: &OpenMlsRustCrypto, bytes: &[u8]) -> KeyPackage {
    let MlsMessageBodyIn::KeyPackage(key_package) = parse(bytes).extract() else {
        panic!("not a KeyPackage")
    };
    key_package.validate(provider.crypto(), ProtocolVersion::Mls10).expect("a good KeyPackage")
}

fn parse(bytes: &[u8]) -> MlsMessageIn {
    MlsMessageIn::tls_deserialize_exact_bytes(bytes).expect("an MLSMessage")
}

fn bytes(message: &MlsMessageOut) -> Vec<u8> {
    message.to_bytes().expect("an MLSMessage")
}

struct Key(ed25519_dalek::SigningKey);

impl Key {
    fn of(identity: &Identity) -> Self {
        Self::of_seed(*identity.key().seed())
    }

    fn of_seed(seed: [u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    fn public(&self) -> Vec<u8> {
        self.0.verifying_key().as_bytes().to_vec()
    }
}

impl Signer for Key {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        use ed25519_dalek::Signer as _;
        Ok(self.0.sign(payload).to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
