//! A newtype for each id, so that none is taken for another.

use std::fmt;

use data_encoding::{BASE32_NOPAD, HEXLOWER};

/// An id is not of its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {length} bytes")]
pub struct BadLength {
    /// Which id.
    pub what: &'static str,
    /// How long it must be.
    pub length: usize,
}

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// From its bytes.
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// From bytes that travelled.
            pub fn parse(bytes: &[u8]) -> Result<Self, BadLength> {
                bytes.try_into().map(Self).map_err(|_| BadLength { what: stringify!($name), length: $length })
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), HEXLOWER.encode(&self.0))
            }
        }
    };
}

bytes_id!(
    /// SHA-256 of a meeting's record.
    MeetingId,
    32
);
bytes_id!(
    /// SHA-256 of an entry's header.
    EntryHash,
    32
);
bytes_id!(
    /// The author's id of a submission.
    SubmissionId,
    16
);
bytes_id!(
    /// RFC 9420 §5.2, with SHA-256.
    KeyPackageRef,
    32
);
bytes_id!(
    /// The MLS group of one session.
    GroupId,
    32
);

impl fmt::Display for MeetingId {
    /// Lower-case base32 without padding: 52 characters, as it stands in links.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl MeetingId {
    /// From the form that stands in links.
    pub fn parse_text(text: &str) -> Result<Self, BadLength> {
        let bytes = BASE32_NOPAD
            .decode(text.to_ascii_uppercase().as_bytes())
            .map_err(|_| BadLength { what: "MeetingId", length: 32 })?;
        Self::parse(&bytes)
    }
}

/// The number of a session of one meeting, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionNumber(pub u64);

/// The place of an entry in a session's log, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

/// An MLS epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// A leaf of the ratchet tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(pub u32);

/// The number of a published track, fresh for each start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackNumber(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meeting_id_survives_its_text_form() {
        let id = MeetingId::from_bytes([7; 32]);
        assert_eq!(MeetingId::parse_text(&id.to_string()), Ok(id));
        assert!(MeetingId::parse_text("nonsense!").is_err());
    }
}
