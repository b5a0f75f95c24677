//! The link that people click, and the secret in its fragment.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    identity::{address::Domain, keys::SigningKey},
    ids::{BadLength, MeetingId},
};

/// 32 bytes in base 32.
const ID_CHARACTERS: usize = 52;
/// 32 bytes in base 64.
const SECRET_CHARACTERS: usize = 43;

/// A text is not a link or address of a meeting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither form.
    #[error("a meeting is named by a link https://SERVER/m/ID@HUB#SECRET or by an address ID@HUB")]
    Form,
    /// The id is cut, or more than the id.
    #[error("the meeting's id has {0} characters and must have 52; is the link complete?")]
    IdLength(usize),
    /// The id is mistyped.
    #[error(
        "the meeting's id holds a character that was changed; it is made of the letters a to z and the digits 2 to 7"
    )]
    IdCharacters,
    /// The hub is no domain.
    #[error("the part after the @ must be a domain")]
    Hub,
    /// The server is no domain.
    #[error("the link's server must be a domain")]
    Server,
    /// The fragment is cut, or more than the secret.
    #[error("the part after the # has {0} characters and must have 43; is the link complete?")]
    SecretLength(usize),
    /// The fragment is mistyped.
    #[error(
        "the part after the # holds a character that was changed; it is made of letters, digits, - and _"
    )]
    SecretCharacters,
}

/// 32 random bytes that never reach a server: they stand in the link's fragment (spec: MTG-03).
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct LinkSecret([u8; 32]);

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(..)")
    }
}

impl LinkSecret {
    /// From 32 bytes of good randomness.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From bytes that came sealed.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadLength> {
        bytes.try_into().map(Self).map_err(|_| BadLength { what: "LinkSecret", length: 32 })
    }

    /// For sealing it into an invitation.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key whose public half stands in the policy: seed = HKDF-SHA256(secret, "conclave/v1/link-key") (spec: MTG-03).
    pub fn link_key(&self) -> SigningKey {
        SigningKey::from_seed(&self.derive::<32>(b"conclave/v1/link-key"))
    }

    /// The key that seals title and time: HKDF-SHA256(secret, "conclave/v1/details") (spec: MTG-04).
    pub(super) fn details_key(&self) -> Zeroizing<[u8; 16]> {
        self.derive::<16>(b"conclave/v1/details")
    }

    fn derive<const N: usize>(&self, info: &[u8]) -> Zeroizing<[u8; N]> {
        #[cfg(feature = "canary")]
        crate::canary::tell("link secret", &self.0);
        let mut out = Zeroizing::new([0; N]);
        // Expanding fails only past 255 times 32 bytes; every N here is 16 or 32.
        let expanded = Hkdf::<Sha256>::new(None, &self.0).expand(info, out.as_mut());
        debug_assert!(expanded.is_ok(), "16 and 32 bytes can always be expanded");
        out
    }
}

/// What a link or an address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The server whose page the link opens; none in a bare address.
    pub server: Option<Domain>,
    /// The meeting.
    pub meeting: MeetingId,
    /// Whose server orders it.
    pub hub: Domain,
    /// The secret of the fragment.
    pub secret: Option<LinkSecret>,
}

impl Link {
    /// From what a person pasted (spec: MTG-03).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let (place, secret) = match text.split_once('#') {
            Some((place, secret)) => (place, Some(parse_secret(secret)?)),
            None => (text, None),
        };
        let (server, address) = match place.strip_prefix("https://") {
            Some(rest) => {
                let (server, address) = rest.split_once("/m/").ok_or(Error::Form)?;
                (Some(Domain::parse(server).map_err(|_| Error::Server)?), address)
            }
            None if place.contains("://") => return Err(Error::Form),
            None => (None, place),
        };
        let (id, hub) = address.split_once('@').ok_or(Error::Form)?;
        Ok(Self { server, meeting: parse_id(id)?, hub: Domain::parse(hub).map_err(|_| Error::Hub)?, secret })
    }
}

fn parse_id(text: &str) -> Result<MeetingId, Error> {
    match text.chars().count() {
        ID_CHARACTERS => MeetingId::parse_text(text).map_err(|_| Error::IdCharacters),
        found => Err(Error::IdLength(found)),
    }
}

fn parse_secret(text: &str) -> Result<LinkSecret, Error> {
    let found = text.chars().count();
    if found != SECRET_CHARACTERS {
        return Err(Error::SecretLength(found));
    }
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Error::SecretCharacters)?;
    LinkSecret::parse(&Zeroizing::new(bytes)).map_err(|_| Error::SecretCharacters)
}

impl fmt::Display for Link {
    /// With the secret: show it only to whom it is for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = &self.server {
            write!(f, "https://{server}/m/")?;
        }
        write!(f, "{}@{}", self.meeting, self.hub)?;
        match &self.secret {
            Some(secret) => write!(f, "#{}", BASE64URL_NOPAD.encode(&secret.0)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;

    fn link() -> Link {
        Link {
            server: Some(Domain::parse("north.localhost:7443").unwrap()),
            meeting: MeetingId::from_bytes([9; 32]),
            hub: Domain::parse("south.localhost:8443").unwrap(),
            secret: Some(LinkSecret::from_bytes([5; 32])),
        }
    }

    #[test]
    fn mtg_03_links_and_addresses_survive_their_text_form() {
        assert_eq!(Link::parse(&link().to_string()).unwrap(), link());
        let address = Link { server: None, secret: None, ..link() };
        assert_eq!(Link::parse(&format!(" {address}\n")).unwrap(), address);
    }

    #[test]
    fn a_bad_link_says_what_is_wrong() {
        let whole = link().to_string();
        for (bad, error) in [
            ("hello".to_owned(), Error::Form),
            ("https://north.example/x".to_owned(), Error::Form),
            (whole.replace("@south", "@-south"), Error::Hub),
            (whole.replace("north", "NORTH"), Error::Server),
            (whole.replace("https", "http"), Error::Form),
            (whole.replace("/m/", "/m/a"), Error::IdLength(53)),
            (format!("{}1@north.example", "a".repeat(51)), Error::IdCharacters),
            (whole.get(..whole.len() - 1).unwrap().to_owned(), Error::SecretLength(42)),
            (whole.replacen('#', "#*", 1).get(..whole.len()).unwrap().to_owned(), Error::SecretCharacters),
        ] {
            assert_eq!(Link::parse(&bad), Err(error), "{bad}");
        }
    }
}
