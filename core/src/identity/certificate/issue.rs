//! Makes certificates: the root one for the device CA, the device CA one for each device.

use std::time::Duration;

use prost::bytes::Bytes;
use x509_cert::{
    Certificate, TbsCertificate, Version,
    attr::AttributeTypeAndValue,
    der::{
        Encode,
        asn1::{Any, BitString, GeneralizedTime, Ia5String, SetOfVec, UtcTime, Utf8StringRef},
        oid::db::rfc4519::CN,
    },
    ext::{
        AsExtension,
        pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectAltName, name::GeneralName},
    },
    name::{Name, RdnSequence, RelativeDistinguishedName},
    serial_number::SerialNumber,
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
    time::Validity,
};

use super::{Chain, DEVICE_CA_NAME, DisplayName, ED25519, Error, ROOT_NAME, chain::ca_uri, fields::Fields};
use crate::{
    identity::{
        address::{DeviceUri, Domain},
        keys::{PublicKey, SigningKey},
    },
    limits,
    time::Time,
};

/// What is to be certified.
struct Draft<'a> {
    issuer: &'a str,
    subject: &'a str,
    uri: &'a str,
    key: &'a PublicKey,
    serial: [u8; 16],
    not_before: Time,
    not_after: Time,
    ca: bool,
}

/// The root certifies a domain's device CA from now for `lifetime`, at most [`limits::DEVICE_CA_LIFETIME`] (spec: IDN-07).
pub fn issue_device_ca(
    root: &SigningKey,
    domain: &Domain,
    ca_key: &PublicKey,
    serial: [u8; 16],
    now: Time,
    lifetime: Duration,
) -> Result<Bytes, Error> {
    let lifetime = lifetime.min(limits::DEVICE_CA_LIFETIME);
    let (not_before, not_after) = (now - limits::CLOCK_SKEW, now + lifetime);
    let (uri, issuer, subject) = (ca_uri(domain), ROOT_NAME, DEVICE_CA_NAME);
    Draft { issuer, subject, uri: &uri, key: ca_key, serial, not_before, not_after, ca: true }.sign(root)
}

/// A domain's device CA: its certificate and the key that issues.
#[derive(Clone, Debug)]
pub struct DeviceCa {
    key: SigningKey,
    domain: Domain,
    certificate: Bytes,
    not_after: Time,
}

impl DeviceCa {
    /// From parts that were stored; refuses a certificate that the root did not make for this key and domain.
    pub fn new(
        key: SigningKey,
        certificate: Bytes,
        root: &PublicKey,
        domain: &Domain,
    ) -> Result<Self, Error> {
        let fields = Fields::parse(&certificate)?;
        fields.check_device_ca(root, domain)?;
        if fields.key != key.public() {
            return Err(Error::Signature);
        }
        Ok(Self { key, domain: domain.clone(), certificate, not_after: fields.not_after })
    }

    /// The CA's certificate in DER, as it stands in the descriptor.
    pub const fn certificate(&self) -> &Bytes {
        &self.certificate
    }

    /// When the CA's certificate ends.
    pub const fn not_after(&self) -> Time {
        self.not_after
    }

    /// Certifies a device of this domain for seven days, or as long as the CA itself lasts (spec: IDN-08).
    pub fn issue(
        &self,
        uri: &DeviceUri,
        display_name: &DisplayName,
        device_key: &PublicKey,
        serial: [u8; 16],
        now: Time,
    ) -> Result<Chain, Error> {
        if uri.domain() != &self.domain {
            return Err(Error::Domain(self.domain.clone()));
        }
        if now > self.not_after {
            return Err(Error::Expired);
        }
        let uri = uri.to_string();
        let leaf = Draft {
            issuer: DEVICE_CA_NAME,
            subject: display_name.as_str(),
            uri: &uri,
            key: device_key,
            serial,
            not_before: now - limits::CLOCK_SKEW,
            not_after: (now + limits::DEVICE_CERTIFICATE_LIFETIME).min(self.not_after),
            ca: false,
        };
        Chain::parse(&[leaf.sign(&self.key)?, self.certificate.clone()])
    }
}

impl Draft<'_> {
    fn sign(&self, issuer: &SigningKey) -> Result<Bytes, Error> {
        let build = || {
            let tbs_certificate = self.tbs()?;
            let signature = issuer.sign_raw(&tbs_certificate.to_der()?);
            Certificate {
                signature_algorithm: tbs_certificate.signature.clone(),
                signature: BitString::from_bytes(&signature)?,
                tbs_certificate,
            }
            .to_der()
        };
        build().map(Bytes::from).map_err(|_| Error::Bug)
    }

    fn tbs(&self) -> x509_cert::der::Result<TbsCertificate> {
        let algorithm = AlgorithmIdentifierOwned { oid: ED25519, parameters: None };
        let subject = common_name(self.subject)?;
        let usage = if self.ca { KeyUsages::KeyCertSign } else { KeyUsages::DigitalSignature };
        let uri = GeneralName::UniformResourceIdentifier(Ia5String::new(self.uri)?);
        let mut extensions = vec![
            KeyUsage(usage.into()).to_extension(&subject, &[])?,
            SubjectAltName(vec![uri]).to_extension(&subject, &[])?,
        ];
        if self.ca {
            let constraints = BasicConstraints { ca: true, path_len_constraint: Some(0) };
            extensions.insert(0, constraints.to_extension(&subject, &[])?);
        }
        Ok(TbsCertificate {
            version: Version::V3,
            serial_number: SerialNumber::new(&positive(self.serial))?,
            signature: algorithm.clone(),
            issuer: common_name(self.issuer)?,
            validity: Validity {
                not_before: x509_time(self.not_before)?,
                not_after: x509_time(self.not_after)?,
            },
            subject,
            subject_public_key_info: SubjectPublicKeyInfoOwned {
                algorithm,
                subject_public_key: BitString::from_bytes(self.key.as_bytes())?,
            },
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(extensions),
        })
    }
}

/// A serial number must be positive (RFC 5280 §4.1.2.2).
const fn positive(serial: [u8; 16]) -> [u8; 16] {
    let mut bytes = serial;
    bytes[0] = (bytes[0] & 0x3f) | 0x40;
    bytes
}

fn common_name(text: &str) -> x509_cert::der::Result<Name> {
    let value = Any::from(Utf8StringRef::new(text)?);
    let part = SetOfVec::try_from(vec![AttributeTypeAndValue { oid: CN, value }])?;
    Ok(RdnSequence(vec![RelativeDistinguishedName(part)]))
}

/// UTCTime up to 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5).
fn x509_time(time: Time) -> x509_cert::der::Result<x509_cert::time::Time> {
    let whole_seconds = Duration::from_secs(time.as_ms() / 1000);
    match UtcTime::from_unix_duration(whole_seconds) {
        Ok(time) => Ok(time.into()),
        Err(_) => GeneralizedTime::from_unix_duration(whole_seconds).map(Into::into),
    }
}
