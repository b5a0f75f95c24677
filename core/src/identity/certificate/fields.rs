//! One certificate, read: everything about it that can be judged without knowing another one (spec: IDN-06).

use std::time::Duration;

use prost::bytes::Bytes;
use x509_cert::{
    TbsCertificate, Version,
    attr::AttributeTypeAndValue,
    der::{
        Decode, Header, Reader, SliceReader, Tag,
        asn1::{BitString, PrintableStringRef, Utf8StringRef},
        oid::{AssociatedOid, ObjectIdentifier, db::rfc4519::CN},
    },
    ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectAltName, name::GeneralName},
    name::Name,
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
};

use super::{ED25519, Error};
use crate::{identity::keys::PublicKey, limits, time::Time};

/// What a key may be used for; nothing else is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    /// Signing certificates, and nothing else.
    Certificates,
    /// Signing data, and nothing else.
    Data,
}

/// The fields that matter, of a form that is right, and proved by nobody yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    /// The bytes that the issuer signed, as they travelled.
    tbs: Bytes,
    signature: Bytes,
    pub(super) issuer: Name,
    pub(super) subject: Name,
    pub(super) key: PublicKey,
    pub(super) not_before: Time,
    pub(super) not_after: Time,
    /// The one alternative name.
    pub(super) uri: String,
    pub(super) is_ca: bool,
    pub(super) usage: Usage,
}

impl Fields {
    /// Reads one certificate.
    pub(super) fn parse(der: &Bytes) -> Result<Self, Error> {
        if der.len() > limits::CERTIFICATE_BYTES {
            return Err(Error::TooLarge);
        }
        let (tbs_bytes, algorithm, signature) = split(der).map_err(|_| Error::Malformed)?;
        let tbs = TbsCertificate::from_der(tbs_bytes).map_err(|_| Error::Malformed)?;
        if tbs.version != Version::V3 || tbs.issuer_unique_id.is_some() || tbs.subject_unique_id.is_some() {
            return Err(Error::Malformed);
        }
        if !is_ed25519(&algorithm) || !is_ed25519(&tbs.signature) {
            return Err(Error::Algorithm);
        }
        check_extensions(&tbs)?;
        Ok(Self {
            tbs: der.slice_ref(tbs_bytes),
            signature: Bytes::copy_from_slice(signature.as_bytes().ok_or(Error::Malformed)?),
            key: public_key(&tbs.subject_public_key_info)?,
            not_before: to_time(tbs.validity.not_before),
            not_after: to_time(tbs.validity.not_after),
            uri: only_uri(&tbs)?,
            is_ca: is_ca(&tbs)?,
            usage: usage(&tbs)?,
            issuer: tbs.issuer,
            subject: tbs.subject,
        })
    }

    /// Whether `issuer` signed it; over the bytes as they travelled (spec: IDN-03).
    pub(super) fn verify_signature(&self, issuer: &PublicKey) -> Result<(), Error> {
        if issuer.verify_raw(&self.tbs, &self.signature) { Ok(()) } else { Err(Error::Signature) }
    }

    /// Refuses a validity that is reversed or longer than `longest` and the skew that issuers add (spec: IDN-08).
    pub(super) fn check_lifetime(&self, longest: Duration) -> Result<(), Error> {
        let longest = longest.saturating_add(limits::CLOCK_SKEW);
        let reversed = self.not_after < self.not_before;
        if reversed || self.not_after.since(self.not_before) > longest {
            Err(Error::Lifetime)
        } else {
            Ok(())
        }
    }

    /// The subject's only attribute, if it is a common name.
    pub(super) fn common_name(&self) -> Option<String> {
        only_common_name(&self.subject)
    }

    /// The issuer's only attribute, if it is a common name.
    pub(super) fn issuer_common_name(&self) -> Option<String> {
        only_common_name(&self.issuer)
    }
}

/// The three parts of a certificate, the first as raw bytes.
fn split(der: &[u8]) -> x509_cert::der::Result<(&[u8], AlgorithmIdentifierOwned, BitString)> {
    let mut reader = SliceReader::new(der)?;
    Header::decode(&mut reader)?.tag.assert_eq(Tag::Sequence)?;
    // The outer length must end where the bytes end, or something unsigned would travel along.
    let mut whole = SliceReader::new(der)?;
    whole.tlv_bytes()?;
    whole.finish(())?;
    let tbs = reader.tlv_bytes()?;
    let algorithm = AlgorithmIdentifierOwned::decode(&mut reader)?;
    let signature = BitString::decode(&mut reader)?;
    reader.finish((tbs, algorithm, signature))
}

fn is_ed25519(algorithm: &AlgorithmIdentifierOwned) -> bool {
    algorithm.oid == ED25519 && algorithm.parameters.is_none()
}

fn public_key(info: &SubjectPublicKeyInfoOwned) -> Result<PublicKey, Error> {
    if !is_ed25519(&info.algorithm) {
        return Err(Error::Algorithm);
    }
    let bytes = info.subject_public_key.as_bytes().ok_or(Error::Algorithm)?;
    PublicKey::parse(bytes).map_err(|_| Error::Algorithm)
}

/// Every extension at most once, and the critical ones known (spec: IDN-06).
fn check_extensions(tbs: &TbsCertificate) -> Result<(), Error> {
    const KNOWN: [ObjectIdentifier; 3] = [BasicConstraints::OID, KeyUsage::OID, SubjectAltName::OID];
    let extensions = tbs.extensions.as_deref().unwrap_or(&[]);
    let twice = extensions.iter().enumerate().any(|(place, extension)| {
        extensions.iter().take(place).any(|earlier| earlier.extn_id == extension.extn_id)
    });
    let unknown =
        extensions.iter().any(|extension| extension.critical && !KNOWN.contains(&extension.extn_id));
    if twice || unknown { Err(Error::Extension) } else { Ok(()) }
}

fn only_uri(tbs: &TbsCertificate) -> Result<String, Error> {
    let names = tbs.get::<SubjectAltName>().map_err(|_| Error::Malformed)?;
    match names.as_ref().map(|(_, names)| names.0.as_slice()) {
        Some([GeneralName::UniformResourceIdentifier(uri)]) => Ok(uri.as_str().to_owned()),
        _ => Err(Error::Uri),
    }
}

/// A CA says so critically and may not make further CAs (spec: IDN-07).
fn is_ca(tbs: &TbsCertificate) -> Result<bool, Error> {
    match tbs.get::<BasicConstraints>().map_err(|_| Error::Malformed)? {
        None | Some((_, BasicConstraints { ca: false, path_len_constraint: None })) => Ok(false),
        Some((true, BasicConstraints { ca: true, path_len_constraint: Some(0) })) => Ok(true),
        Some(_) => Err(Error::Kind),
    }
}

fn usage(tbs: &TbsCertificate) -> Result<Usage, Error> {
    let Some((true, usage)) = tbs.get::<KeyUsage>().map_err(|_| Error::Malformed)? else {
        return Err(Error::KeyUsage);
    };
    if usage.0 == KeyUsages::KeyCertSign {
        Ok(Usage::Certificates)
    } else if usage.0 == KeyUsages::DigitalSignature {
        Ok(Usage::Data)
    } else {
        Err(Error::KeyUsage)
    }
}

fn to_time(time: x509_cert::time::Time) -> Time {
    Time::from_ms(time.to_unix_duration().as_secs().saturating_mul(1000))
}

fn only_common_name(name: &Name) -> Option<String> {
    let [part] = name.0.as_slice() else { return None };
    let mut attributes = part.0.iter();
    let (Some(AttributeTypeAndValue { oid, value }), None) = (attributes.next(), attributes.next()) else {
        return None;
    };
    if *oid != CN {
        return None;
    }
    match value.decode_as::<Utf8StringRef<'_>>() {
        Ok(text) => Some(text.as_str().to_owned()),
        Err(_) => value.decode_as::<PrintableStringRef<'_>>().ok().map(|text| text.as_str().to_owned()),
    }
}
