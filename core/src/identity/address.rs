//! Names of organisations, people and devices, in the one form in which they travel and are compared.

use std::fmt;

use crate::limits;

/// A name is not of its form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A domain must be a DNS name in lower case, with a port if it is not 443.
    #[error("a domain must be a DNS name in lower case, with a port if it is not 443")]
    Domain,
    /// A user address must look like alice@north.example.
    #[error("a user address must look like alice@north.example")]
    User,
    /// A device URI must look like conclave://north.example/u/alice/d/1a2b3c4d5e6f7a8b.
    #[error("a device URI must look like conclave://north.example/u/alice/d/1a2b3c4d5e6f7a8b")]
    Device,
}

/// One organisation: a DNS name in lower case, port optional: `north.example`, `north.localhost:7443`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

impl Domain {
    /// Checks the form; nothing is normalised, so that two spellings are never one domain (spec: IDN-01).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let label_ok = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let port_ok = port.is_none_or(|port| {
            port.parse::<u16>().is_ok_and(|number| number != 0 && number != 443 && number.to_string() == port)
        });
        let numeric = host.rsplit('.').next().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
        if text.len() <= limits::DOMAIN_BYTES && host.split('.').all(label_ok) && port_ok && !numeric {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::Domain)
        }
    }

    /// As it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The DNS name without the port.
    pub fn host(&self) -> &str {
        self.0.split_once(':').map_or(self.as_str(), |(host, _)| host)
    }

    /// The HTTPS port.
    pub fn port(&self) -> u16 {
        self.0.split_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(443)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether an address is an account or somebody whom the organisation let in by name only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserKind {
    /// Has an account.
    User,
    /// A guest of the organisation, never a host.
    Guest,
}

/// One person at one organisation: `alice@north.example`, or a guest: `guest/7f3a@north.example`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserAddress {
    kind: UserKind,
    name: String,
    domain: Domain,
}

impl UserAddress {
    /// From its parts.
    pub fn new(kind: UserKind, name: &str, domain: Domain) -> Result<Self, Error> {
        let form_ok = (1..=limits::USER_NAME_BYTES).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'));
        if form_ok { Ok(Self { kind, name: name.to_owned(), domain }) } else { Err(Error::User) }
    }

    /// From `alice@north.example` or `guest/7f3a@north.example`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (name, domain) = text.split_once('@').ok_or(Error::User)?;
        let domain = Domain::parse(domain)?;
        match name.strip_prefix("guest/") {
            Some(guest) => Self::new(UserKind::Guest, guest, domain),
            None => Self::new(UserKind::User, name, domain),
        }
    }

    /// Account or guest.
    pub const fn kind(&self) -> UserKind {
        self.kind
    }

    /// The part before the @, without the guest mark.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The organisation.
    pub const fn domain(&self) -> &Domain {
        &self.domain
    }
}

impl fmt::Display for UserAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.kind == UserKind::Guest { "guest/" } else { "" };
        write!(f, "{mark}{}@{}", self.name, self.domain)
    }
}

/// One signed-in client: `conclave://north.example/u/alice/d/1a2b3c4d5e6f7a8b`; guests have `g` in place of `u`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceUri {
    user: UserAddress,
    device: [u8; 8],
}

impl DeviceUri {
    /// From its parts.
    pub const fn new(user: UserAddress, device: [u8; 8]) -> Self {
        Self { user, device }
    }

    /// From the form in which it travels.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let rest = text.strip_prefix("conclave://").ok_or(Error::Device)?;
        let mut parts = rest.split('/');
        let mut next = || parts.next().ok_or(Error::Device);
        let (domain, kind, name, mark, device) = (next()?, next()?, next()?, next()?, next()?);
        let kind = match kind {
            "u" => UserKind::User,
            "g" => UserKind::Guest,
            _ => return Err(Error::Device),
        };
        if mark != "d" || parts.next().is_some() {
            return Err(Error::Device);
        }
        let bytes = data_encoding::HEXLOWER.decode(device.as_bytes()).map_err(|_| Error::Device)?;
        let device = bytes.try_into().map_err(|_| Error::Device)?;
        Ok(Self { user: UserAddress::new(kind, name, Domain::parse(domain)?)?, device })
    }

    /// Whose device it is.
    pub const fn user(&self) -> &UserAddress {
        &self.user
    }

    /// Whose organisation's device it is.
    pub const fn domain(&self) -> &Domain {
        &self.user.domain
    }

    /// The device's own id.
    pub const fn device(&self) -> [u8; 8] {
        self.device
    }
}

impl fmt::Display for DeviceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.user.kind == UserKind::Guest { 'g' } else { 'u' };
        let device = data_encoding::HEXLOWER.encode(&self.device);
        write!(f, "conclave://{}/{kind}/{}/d/{device}", self.user.domain, self.user.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idn_01_domains_have_one_spelling() {
        for good in ["north.example", "north.localhost:7443", "a-b.c", "localhost"] {
            assert_eq!(Domain::parse(good).map(|d| d.to_string()), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "North.example",
            "north.example.",
            "n:443",
            "n:0",
            "n:07",
            "n:99999",
            "-a.b",
            "a_b",
            "1.2.3.4",
            "[::1]",
            "a/b",
            "a@b",
        ] {
            assert_eq!(Domain::parse(bad), Err(Error::Domain), "{bad}");
        }
    }

    #[test]
    fn idn_01_addresses_and_devices_survive_their_text_form() {
        for text in ["alice@north.example", "guest/7f3a@north.localhost:7443"] {
            assert_eq!(UserAddress::parse(text).map(|a| a.to_string()), Ok(text.to_owned()));
        }
        for text in [
            "conclave://north.example/u/alice/d/1a2b3c4d5e6f7a8b",
            "conclave://n.example:7443/g/7f3a/d/1a2b3c4d5e6f7a8b",
        ] {
            assert_eq!(DeviceUri::parse(text).map(|d| d.to_string()), Ok(text.to_owned()));
        }
        for bad in
            ["alice", "@north.example", "Alice@north.example", "a b@north.example", "alice@@north.example"]
        {
            assert!(UserAddress::parse(bad).is_err(), "{bad}");
        }
        for bad in [
            "conclave://n/u/alice/d/1A2b3c4d5e6f7a8b",
            "conclave://n/x/alice/d/1a2b3c4d5e6f7a8b",
            "conclave://n/u/alice/d/1a2b3c4d5e6f7a8b/",
        ] {
            assert!(DeviceUri::parse(bad).is_err(), "{bad}");
        }
    }
}
