//! MLS messages that hold themselves: a `ratchet_tree` extension in a leaf in a `ratchet_tree` extension, and so on.
//!
//! Decoders that call themselves for each level run out of stack. Written by hand (RFC 9420), since no library makes them.

/// Where a nest is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a KeyPackage's own extensions.
    KeyPackage,
    /// In the extensions of a KeyPackage's leaf.
    KeyPackageLeaf,
    /// In a GroupInfo's extensions.
    GroupInfo,
    /// In the group context of a GroupInfo.
    GroupContext,
    /// In a KeyPackage that a commit adds.
    Commit,
    /// A ratchet tree on its own.
    Tree,
}

/// Every place.
pub const PLACES: [Place; 6] = [
    Place::KeyPackage,
    Place::KeyPackageLeaf,
    Place::GroupInfo,
    Place::GroupContext,
    Place::Commit,
    Place::Tree,
];

/// A message of about `bytes` bytes with as many levels as fit.
pub fn nested(place: Place, bytes: usize) -> Vec<u8> {
    let nest = extensions(bytes.saturating_sub(300) / 30);
    match place {
        Place::KeyPackage => [&[0, 1, 0, 5][..], &key_package(&[], &nest)].concat(),
        Place::KeyPackageLeaf => [&[0, 1, 0, 5][..], &key_package(&nest, &[])].concat(),
        Place::GroupInfo => [&[0, 1, 0, 4][..], &group_info(&[], &nest)].concat(),
        Place::GroupContext => [&[0, 1, 0, 4][..], &group_info(&nest, &[])].concat(),
        Place::Commit => [&[0, 1, 0, 1][..], &commit(&key_package(&nest, &[]))].concat(),
        Place::Tree => vector(&[&[1, 1][..], &leaf(&nest)].concat()),
    }
}

/// A list with one `ratchet_tree` extension, `depth` levels deep.
fn extensions(depth: usize) -> Vec<u8> {
    let (before, after) = leaf_around();
    let mut length = 0;
    let mut prefixes = Vec::with_capacity(depth);
    for _ in 0..depth {
        // Around the inner list: its length, the leaf, the node, the tree's length, the extension's type and length.
        let inner = variable(length);
        let leaf = [&[1, 1][..], &before, &inner].concat();
        let nodes = leaf.len() + length + after.len();
        let tree = [variable(nodes), leaf].concat();
        let data = tree.len() + length + after.len();
        let prefix = [&[0, 2][..], &variable(data), &tree].concat();
        length += prefix.len() + after.len();
        prefixes.push(prefix);
    }
    let mut out: Vec<u8> = prefixes.into_iter().rev().flatten().collect();
    out.extend(after.repeat(depth));
    out
}

/// What stands in a leaf before its extensions, and after them.
fn leaf_around() -> (Vec<u8>, Vec<u8>) {
    let keys = [vector(&[]), vector(&[])].concat();
    let credential = [&[0, 1][..], &vector(&[])].concat();
    let capabilities = vec![0; 5];
    let update = vec![2];
    ([keys, credential, capabilities, update].concat(), vector(&[]))
}

fn leaf(extensions: &[u8]) -> Vec<u8> {
    let (before, after) = leaf_around();
    [before, vector(extensions), after].concat()
}

fn key_package(in_leaf: &[u8], own: &[u8]) -> Vec<u8> {
    [&[0, 1, 0, 1][..], &vector(&[7; 32]), &leaf(in_leaf), &vector(own), &vector(&[8; 64])].concat()
}

fn group_info(in_context: &[u8], own: &[u8]) -> Vec<u8> {
    let context =
        [&[0, 1, 0, 1][..], &vector(&[2; 32]), &[0; 8], &vector(&[3; 32]), &vector(&[]), &vector(in_context)]
            .concat();
    [context, vector(own), vector(&[4; 32]), vec![0; 4], vector(&[8; 64])].concat()
}

/// A PublicMessage by leaf 0 in epoch 1 with one Add and no path.
fn commit(added: &[u8]) -> Vec<u8> {
    let proposal = [&[1, 0, 1][..], added].concat();
    [
        vector(&[2; 32]),
        1_u64.to_be_bytes().to_vec(),
        vec![1, 0, 0, 0, 0],
        vector(&[]),
        vec![3],
        vector(&proposal),
        vec![0],
        vector(&[8; 64]),
        vector(&[9; 32]),
        vector(&[9; 32]),
    ]
    .concat()
}

fn vector(bytes: &[u8]) -> Vec<u8> {
    [&variable(bytes.len()), bytes].concat()
}

/// A length in 1, 2 or 4 bytes (RFC 9420 §2.1.2).
fn variable(length: usize) -> Vec<u8> {
    let length = u32::try_from(length).unwrap_or(u32::MAX >> 2);
    let [_, _, third, fourth] = length.to_be_bytes();
    match length {
        0..0x40 => vec![fourth],
        0x40..0x4000 => vec![0x40 | third, fourth],
        _ => (0x8000_0000 | length).to_be_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use openmls::prelude::{MlsMessageIn, RatchetTreeIn, tls_codec::DeserializeBytes as _};

    use super::*;

    fn decodes(place: Place, bytes: usize) -> bool {
        let input = nested(place, bytes);
        match place {
            Place::Tree => RatchetTreeIn::tls_deserialize_exact_bytes(&input).is_ok(),
            _ => MlsMessageIn::tls_deserialize_exact_bytes(&input).is_ok(),
        }
    }

    #[test]
    fn each_level_is_what_it_seems() {
        for place in PLACES {
            assert!(decodes(place, 0), "{place:?} without a level");
            assert!(!decodes(place, 360), "{place:?} with two levels");
        }
        assert!(decodes(Place::KeyPackage, 330) && decodes(Place::GroupInfo, 330), "with one level");
    }
}
