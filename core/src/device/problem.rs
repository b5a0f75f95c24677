//! What a person is told when something does not work: a stable id, for texts in every language, and what stands in them.

use conclave_proto::types::v1::ErrorReason;

use super::Error;
use crate::{
    identity::{
        address::{self, Domain, UserAddress},
        certificate, pins,
    },
    meeting::{self, link},
};

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident $({ $argument:ident: $kind:ty })?),+ $(,)?) => {
        /// Something that does not work, as a person is told it.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Problem {
            $(
                $(#[$doc])*
                $name $({
                    /// Stands in the sentence.
                    $argument: $kind,
                })?,
            )+
        }

        impl Problem {
            /// Every id, with the names of what stands in its sentence.
            pub fn all() -> Vec<(String, Vec<&'static str>)> {
                vec![$((kebab(stringify!($name)), vec![$(stringify!($argument))?])),+]
            }

            /// Its id: the variant's name, as in `home-server`.
            pub fn id(&self) -> String {
                match self {
                    $(Self::$name $({ $argument: _ })? => kebab(stringify!($name)),)+
                }
            }

            /// What stands in the sentence, by name.
            pub fn arguments(&self) -> Vec<(&'static str, String)> {
                match self {
                    $(Self::$name $({ $argument })? => vec![$((stringify!($argument), $argument.to_string()))?],)+
                }
            }
        }
    };
}

problems! {
    /// The request was not understood.
    Malformed,
    /// It is larger than allowed.
    TooLarge,
    /// Too often.
    RateLimited,
    /// Not signed in, or no longer.
    NotSignedIn,
    /// Name or password is wrong.
    BadCredentials,
    /// There is no such thing, or nobody tells.
    NotFound,
    /// The person may not do this.
    NotEntitled,
    /// A signature does not hold.
    BadSignature,
    /// A certificate does not hold.
    BadCertificate,
    /// A server speaks for another domain.
    WrongDomain,
    /// Another server's key is not the known one.
    PinMismatch,
    /// The servers do not speak with each other.
    PeerNotAllowed,
    /// The time of it is over.
    Expired,
    /// It was used before.
    Replayed,
    /// Nothing admits this device.
    NoAdmission,
    /// The person was sent out.
    Banned,
    /// The meeting is locked.
    Locked,
    /// The meeting is over for good.
    Ended,
    /// A host must let the device in first.
    Waiting,
    /// A host turned the device away.
    Denied,
    /// A change of the group breaks the rules.
    ForbiddenCommit,
    /// Others were faster.
    WrongEpoch,
    /// The log does not continue as it must.
    LogBroken,
    /// The two sides share no version.
    Incompatible,
    /// There is no room.
    Full,
    /// A server is out of reach.
    Unavailable,
    /// A fault of the programs.
    Bug,
    /// The device may make no changes in this session.
    Barred,
    /// The device is not in that meeting.
    NotInMeeting,
    /// The device is in that meeting already.
    AlreadyInMeeting,
    /// Nobody of that address is in the room.
    NobodyThere,
    /// The device does not know the link.
    NoLink,
    /// A text is too long.
    TooLong { most: usize },
    /// The home server broke the protocol.
    HomeServer,
    /// What a server sent cannot be decoded.
    Undecodable,
    /// A name or address is not of its form.
    BadAddress,
    /// A display name is empty, too long, or holds what nobody can see.
    BadName,
    /// Who this domain is cannot be found out.
    UnknownDomain { domain: Domain },
    /// A domain shows another root key than before.
    RootChanged { domain: Domain },
    /// A domain contradicts what it said of itself before.
    DescriptorContradicts { domain: Domain },
    /// By this device's clock, what a domain says of itself, or of this device, is not valid now.
    WrongClock { domain: Domain },
    /// Neither a link nor an address of a meeting.
    LinkForm,
    /// The meeting's id is cut, or more than it.
    LinkIdLength { found: usize },
    /// The meeting's id is mistyped.
    LinkIdCharacters,
    /// What stands after the @ is no domain.
    LinkHub,
    /// The link's server is no domain.
    LinkServer,
    /// The fragment is cut, or more than it.
    LinkSecretLength { found: usize },
    /// The fragment is mistyped.
    LinkSecretCharacters,
    /// Somebody's change of the group broke the rules, and this device did not follow it.
    ChangeRefused { address: UserAddress },
    /// The others followed a change that this device refused.
    OthersWentOn,
}

/// `HomeServer` as `home-server`.
fn kebab(name: &str) -> String {
    let mut id = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !id.is_empty() {
            id.push('-');
        }
        id.push(letter.to_ascii_lowercase());
    }
    id
}

impl Error {
    /// What a person is told.
    pub fn problem(&self) -> Problem {
        match self {
            Self::NotSignedIn => Problem::NotSignedIn,
            Self::NotInMeeting => Problem::NotInMeeting,
            Self::AlreadyInMeeting => Problem::AlreadyInMeeting,
            Self::NobodyThere => Problem::NobodyThere,
            Self::NoLink => Problem::NoLink,
            Self::NotEntitled => Problem::NotEntitled,
            Self::TooLong(most) => Problem::TooLong { most: *most },
            Self::Api(error) => error.reason.into(),
            Self::HomeServer(_) => Problem::HomeServer,
            Self::Malformed => Problem::Undecodable,
            Self::Address(error) => error.into(),
            Self::Certificate(error) => error.into(),
            Self::Pins(error) | Self::Meeting(meeting::Error::Identity(error)) => error.into(),
            Self::UnknownDomain(domain) => Problem::UnknownDomain { domain: domain.clone() },
            Self::WrongClock(domain) => Problem::WrongClock { domain: domain.clone() },
            Self::ChangeRefused { by, .. } => Problem::ChangeRefused { address: by.clone() },
            Self::OthersWentOn => Problem::OthersWentOn,
            Self::Signature(_) | Self::Sealing(_) | Self::Group(_) | Self::Meeting(_) => self.reason().into(),
        }
    }
}

impl From<&link::Error> for Problem {
    fn from(error: &link::Error) -> Self {
        match error {
            link::Error::Form => Self::LinkForm,
            link::Error::IdLength(found) => Self::LinkIdLength { found: *found },
            link::Error::IdCharacters => Self::LinkIdCharacters,
            link::Error::Hub => Self::LinkHub,
            link::Error::Server => Self::LinkServer,
            link::Error::SecretLength(found) => Self::LinkSecretLength { found: *found },
            link::Error::SecretCharacters => Self::LinkSecretCharacters,
        }
    }
}

impl From<&address::Error> for Problem {
    fn from(error: &address::Error) -> Self {
        match error {
            address::Error::Domain | address::Error::User | address::Error::Device => Self::BadAddress,
        }
    }
}

impl From<&certificate::Error> for Problem {
    fn from(error: &certificate::Error) -> Self {
        match error {
            certificate::Error::DisplayName => Self::BadName,
            _ => Self::BadCertificate,
        }
    }
}

impl From<&pins::Error> for Problem {
    fn from(error: &pins::Error) -> Self {
        use pins::Error as E;
        match error {
            E::UnknownDomain(domain) | E::Stale(domain) | E::UnknownKey { domain, .. } => {
                Self::UnknownDomain { domain: domain.clone() }
            }
            E::LowerSerial { domain, .. } | E::SerialReused(domain) => {
                Self::DescriptorContradicts { domain: domain.clone() }
            }
            E::SecondRoot { domain, .. } => Self::RootChanged { domain: domain.clone() },
            E::Certificate(error) => error.into(),
            E::Signed(_) => Self::BadSignature,
            E::Full | E::WrongDomain | E::Descriptor(_) | E::Absent | E::Damaged => {
                meeting::Error::Identity(error.clone()).reason().into()
            }
        }
    }
}

impl From<ErrorReason> for Problem {
    fn from(reason: ErrorReason) -> Self {
        use ErrorReason as R;
        match reason {
            R::Malformed => Self::Malformed,
            R::TooLarge => Self::TooLarge,
            R::RateLimited => Self::RateLimited,
            R::NotSignedIn => Self::NotSignedIn,
            R::BadCredentials => Self::BadCredentials,
            R::NotFound => Self::NotFound,
            R::NotEntitled => Self::NotEntitled,
            R::BadSignature => Self::BadSignature,
            R::BadCertificate => Self::BadCertificate,
            R::WrongDomain => Self::WrongDomain,
            R::PinMismatch => Self::PinMismatch,
            R::PeerNotAllowed => Self::PeerNotAllowed,
            R::Expired => Self::Expired,
            R::Replayed => Self::Replayed,
            R::NoAdmission => Self::NoAdmission,
            R::Banned => Self::Banned,
            R::Locked => Self::Locked,
            R::Ended => Self::Ended,
            R::Waiting => Self::Waiting,
            R::Denied => Self::Denied,
            R::ForbiddenCommit => Self::ForbiddenCommit,
            R::WrongEpoch => Self::WrongEpoch,
            R::LogBroken => Self::LogBroken,
            R::Incompatible => Self::Incompatible,
            R::Full => Self::Full,
            R::Unavailable => Self::Unavailable,
            R::Unspecified | R::Bug => Self::Bug,
            R::Barred => Self::Barred,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_the_names_of_the_variants_and_differ() {
        let domain = Domain::parse("north.example").unwrap();
        let unknown = Error::UnknownDomain(domain).problem();
        assert_eq!(unknown.id(), "unknown-domain");
        assert_eq!(unknown.arguments(), [("domain", "north.example".to_owned())]);
        let all = Problem::all();
        assert!(all.contains(&("unknown-domain".to_owned(), vec!["domain"])));
        assert_eq!(all.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn what_is_wrong_with_a_link_is_told() {
        let problem = |text: &str| Problem::from(&link::Link::parse(text).unwrap_err());
        let id = "a".repeat(52);
        assert_eq!(problem(&format!("{id}@north.example#abc")), Problem::LinkSecretLength { found: 3 });
        assert_eq!(problem("abc@north.example"), Problem::LinkIdLength { found: 3 });
        assert_eq!(problem("hello"), Problem::LinkForm);
    }
}
