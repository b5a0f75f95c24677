//! The MLS cipher suites that meetings may choose from.

use openmls::prelude::Ciphersuite;

use super::Error;

/// A cipher suite, fixed by the meeting's record (spec: GRP-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// 0x004F (provisional): ML-KEM-768 with X25519, AES-128-GCM, SHA-256, Ed25519. The default.
    Hybrid,
    /// 0x0001: X25519, AES-128-GCM, SHA-256, Ed25519.
    Classical,
}

impl Suite {
    /// From its code point (RFC 9420 §17.1) (spec: GRP-01).
    pub fn from_code_point(code_point: u32) -> Result<Self, Error> {
        match code_point {
            0x004F => Ok(Self::Hybrid),
            0x0001 => Ok(Self::Classical),
            other => Err(Error::UnknownSuite(u16::try_from(other).unwrap_or(u16::MAX))),
        }
    }

    /// Its code point.
    pub const fn code_point(self) -> u32 {
        match self {
            Self::Hybrid => 0x004F,
            Self::Classical => 0x0001,
        }
    }

    pub(super) const fn mls(self) -> Ciphersuite {
        match self {
            Self::Hybrid => Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519,
            Self::Classical => Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
        }
    }

    pub(super) fn from_mls(suite: Ciphersuite) -> Result<Self, Error> {
        Self::from_code_point(u32::from(u16::from(suite)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grp_01_two_suites_are_spoken_and_no_other() {
        for suite in [Suite::Hybrid, Suite::Classical] {
            assert_eq!(Suite::from_code_point(suite.code_point()), Ok(suite));
            assert_eq!(Suite::from_mls(suite.mls()), Ok(suite));
        }
        for other in (0..0x1_0010).filter(|n| !matches!(n, 0x0001 | 0x004F)) {
            assert!(Suite::from_code_point(other).is_err());
        }
    }
}
