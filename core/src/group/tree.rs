//! A look at the shape of a ratchet tree in bytes, before anything is decoded (RFC 9420 §7, §12.4.3.3).
//!
//! A blank node is one byte on the wire and much more in memory, so a cap on bytes alone would not bound memory.

use super::Error;
use crate::limits;

/// Refuses a tree of too many bytes, nodes or members (spec: GRP-09).
pub(super) fn check_size(tree: &[u8]) -> Result<(), Error> {
    if tree.len() > limits::TREE_BYTES {
        return Err(Error::TooLarge { what: "ratchet tree", bytes: tree.len(), limit: limits::TREE_BYTES });
    }
    let (nodes, leaves) = count(tree).ok_or(Error::Malformed("ratchet tree"))?;
    if nodes > limits::TREE_NODES {
        return Err(Error::TooMany { what: "nodes", count: nodes, limit: limits::TREE_NODES });
    }
    if leaves > limits::MEMBERS {
        return Err(Error::TooMany { what: "members", count: leaves, limit: limits::MEMBERS });
    }
    Ok(())
}

/// How many nodes, blank ones included, and how many leaves that are not blank.
fn count(tree: &[u8]) -> Option<(usize, usize)> {
    let mut outer = Skim(tree);
    let mut nodes = Skim(outer.vector()?);
    if !outer.0.is_empty() {
        return None;
    }
    let (mut all, mut leaves) = (0, 0);
    while !nodes.0.is_empty() {
        all += 1;
        match nodes.byte()? {
            0 => {}
            1 => match nodes.byte()? {
                1 => {
                    leaves += 1;
                    nodes.leaf()?;
                }
                2 => nodes.vectors(3)?,
                _ => return None,
            },
            _ => return None,
        }
    }
    Some((all, leaves))
}

/// Walks over bytes without keeping any.
struct Skim<'a>(&'a [u8]);

impl<'a> Skim<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// `opaque x<V>`: its length stands before it in 1, 2 or 4 bytes (RFC 9420 §2.1.2).
    fn vector(&mut self) -> Option<&'a [u8]> {
        let first = self.byte()?;
        let more = match first >> 6 {
            0 => 0,
            1 => 1,
            2 => 3,
            _ => return None,
        };
        let start = usize::from(first & 0x3f);
        let length = self.take(more)?.iter().fold(start, |sum, byte| sum << 8 | usize::from(*byte));
        self.take(length)
    }

    fn vectors(&mut self, number: usize) -> Option<()> {
        (0..number).try_for_each(|_| self.vector().map(|_| ()))
    }

    /// A LeafNode (RFC 9420 §7.2).
    fn leaf(&mut self) -> Option<()> {
        self.vectors(2)?; // encryption_key, signature_key
        self.take(2)?; // credential_type
        self.vectors(1 + 5)?; // credential, capabilities
        match self.byte()? {
            1 => self.take(16).map(|_| ())?, // key_package: lifetime
            2 => {}                          // update
            3 => self.vectors(1)?,           // commit: parent_hash
            _ => return None,
        }
        self.vectors(2) // extensions, signature
    }
}
