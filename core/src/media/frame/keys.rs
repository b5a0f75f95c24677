//! The keys of one epoch, and who is in it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    identity::address::DeviceUri,
    ids::{Epoch, LeafIndex},
    media::{
        frame::{cipher::Cipher, header::Header},
        kid::KeyId,
        track::TrackLayer,
    },
};

/// The label under which the base key is exported from MLS, with an empty context (RFC 9605 §5.2).
pub const EXPORTER_LABEL: &str = "SFrame 1.0 Base Key";
/// Bytes of the base key.
pub const BASE_KEY_BYTES: usize = 16;
/// Version of the authenticated metadata.
const METADATA_VERSION: u8 = 1;

/// Tells an epoch from others without holding its keys.
pub(super) type Mark = [u8; 32];

/// The keys of one epoch, and who is in it. Kept in memory only, never stored.
#[derive(Clone)]
pub struct EpochKeys {
    pub(super) epoch: Epoch,
    pub(super) own_leaf: LeafIndex,
    pub(super) roster: Arc<BTreeMap<LeafIndex, Arc<DeviceUri>>>,
    base_key: Zeroizing<[u8; BASE_KEY_BYTES]>,
}

impl EpochKeys {
    /// From what MLS exports under [`EXPORTER_LABEL`] and the members of that epoch.
    pub fn new(
        epoch: Epoch,
        base_key: [u8; BASE_KEY_BYTES],
        own_leaf: LeafIndex,
        roster: impl IntoIterator<Item = (LeafIndex, DeviceUri)>,
    ) -> Self {
        let roster = roster.into_iter().map(|(leaf, device)| (leaf, Arc::new(device))).collect();
        Self { epoch, own_leaf, roster: Arc::new(roster), base_key: Zeroizing::new(base_key) }
    }

    /// Which epoch.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The own place in the tree.
    pub const fn own_leaf(&self) -> LeafIndex {
        self.own_leaf
    }

    /// Who is in the epoch.
    pub fn roster(&self) -> impl Iterator<Item = (LeafIndex, &DeviceUri)> {
        self.roster.iter().map(|(leaf, device)| (*leaf, device.as_ref()))
    }

    /// The secret, for the part of this device that seals frames.
    pub(crate) fn base_key(&self) -> &[u8; BASE_KEY_BYTES] {
        &self.base_key
    }

    /// Whether these are the same epoch with the same secret; epochs of one number differ after a void one.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.epoch == other.epoch && bool::from(self.base_key.as_slice().ct_eq(other.base_key.as_slice()))
    }

    /// What is left of it when the keys are forgotten.
    pub(super) fn mark(&self) -> Mark {
        let hash = Sha256::new().chain_update(b"conclave/v1/seen\0").chain_update(self.epoch.0.to_be_bytes());
        hash.chain_update(self.base_key.as_slice()).finalize().into()
    }

    /// The AEAD of one key id.
    pub(super) fn cipher(&self, kid: KeyId) -> Option<Cipher> {
        Cipher::derive(self.base_key.as_slice(), kid.encode())
    }
}

impl fmt::Debug for EpochKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EpochKeys").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// Writes the additional authenticated data: header, then metadata (spec: MED-04).
pub(super) fn write_aad(out: &mut Vec<u8>, header: Header, track: TrackLayer, clear: &[u8]) {
    out.clear();
    header.write(out);
    write_metadata(out, track, clear);
}

/// Appends the metadata.
pub(super) fn write_metadata(out: &mut Vec<u8>, track: TrackLayer, clear: &[u8]) {
    out.extend_from_slice(&[METADATA_VERSION, track.kind as u8, track.codec as u8]);
    out.extend_from_slice(&track.number.0.to_be_bytes());
    out.push(track.layer.number());
    out.extend_from_slice(clear);
}
