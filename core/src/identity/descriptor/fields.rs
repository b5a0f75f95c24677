//! The parts of a descriptor that have a form of their own.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use super::Error;
use crate::{
    identity::{address::Domain, keys::PublicKey},
    limits,
    time::Time,
};

/// HOST:PORT, where HOST is a DNS name in lower case, an IPv4 address or an IPv6 address in brackets (spec: IDN-11).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// From the form in which it travels; the port is never left out.
    pub fn parse(text: &str) -> Result<Self, Error> {
        const BAD: Error = Error::Field("endpoints");
        if text.len() > limits::ENDPOINT_BYTES {
            return Err(BAD);
        }
        let (host, port_text) = text.rsplit_once(':').ok_or(BAD)?;
        let port = port_text.parse::<u16>().map_err(|_| BAD)?;
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host_ok = match inner {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => host.parse::<Ipv4Addr>().is_ok() || (!host.contains(':') && Domain::parse(host).is_ok()),
        };
        if port == 0 || port.to_string() != port_text || !host_ok {
            return Err(BAD);
        }
        Ok(Self { host: inner.unwrap_or(host).to_owned(), port })
    }

    /// The name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Whose law a server stands under: ISO 3166-1 alpha-2, upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jurisdiction([u8; 2]);

impl Jurisdiction {
    /// Two capital letters; whether a country has that code is not checked.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.as_bytes() {
            &[first, second] if first.is_ascii_uppercase() && second.is_ascii_uppercase() => {
                Ok(Self([first, second]))
            }
            _ => Err(Error::Field("jurisdiction")),
        }
    }
}

impl fmt::Display for Jurisdiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.0.map(char::from);
        write!(f, "{first}{second}")
    }
}

/// A key with which a server signs heads, acknowledgements and withdrawals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSigningKey {
    /// 1 to 32 of `a-z 0-9 -`, unique in the descriptor.
    pub key_id: String,
    /// The key.
    pub public_key: PublicKey,
    /// End of use.
    pub not_after: Time,
}
