//! The server's own keys, as they lie in the folder `keys`, and the descriptor that speaks of them.
//!
//! The root key is needed only to sign a descriptor, and may lie elsewhere. The federation key has its successor beside it, so that
//! peers know the pin before it is used.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use conclave_core::{
    identity::{
        address::Domain,
        certificate::{self, DeviceCa, issue_device_ca},
        descriptor::{self, Descriptor, PROTOCOL_VERSION, ServerSigningKey, sign_succession},
        keys::SigningKey,
    },
    limits,
    time::Time,
};
use conclave_proto::types::v1::{RootSuccession, SignedDescriptor};
use data_encoding::HEXLOWER;
use prost::Message as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::{
    config::Config,
    federation::tls::{self, Identity},
    random, secret_file,
    store::envelope::DataKey,
};

/// A key or the descriptor cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A secret cannot be used.
    #[error(transparent)]
    Secret(#[from] secret_file::Error),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// A file holds no certificate or key.
    #[error("{0} holds no certificate or key in PEM")]
    Pem(PathBuf),
    /// The federation key cannot be used.
    #[error("{0} and its key do not belong together ({1}); put the copies of both back")]
    Mismatch(PathBuf, tls::Error),
    /// A certificate cannot be made.
    #[error("no certificate can be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The device CA is not the descriptor's.
    #[error("the device CA does not belong to the descriptor: {0}; run: conclave-server descriptor sign")]
    DeviceCa(#[from] certificate::Error),
    /// The descriptor is not good.
    #[error("{0}; run: conclave-server descriptor sign")]
    Descriptor(#[from] descriptor::Error),
    /// There are no keys.
    #[error(
        "there are no keys in {0}: put the copy of them back, or make a new server with `conclave-server init`"
    )]
    NoKeys(PathBuf),
    /// What the server signs with is not what it says it signs with.
    #[error(
        "{0} is not the key that the descriptor names; put the right one back, or run: conclave-server descriptor sign"
    )]
    OtherKey(PathBuf),
    /// The file is no descriptor.
    #[error("{0} is no descriptor; put the copy of it back")]
    NoDescriptor(PathBuf),
    /// Another root key signed the descriptor that is there.
    #[error(
        "this is not the root key of the descriptor that is there; a new root is made with `descriptor rotate-root`"
    )]
    OtherRoot,
}

/// What a running server holds.
pub struct Held {
    /// Certifies devices.
    pub device_ca: DeviceCa,
    /// The id of the key that signs heads, acknowledgements and withdrawals.
    pub signing_key_id: String,
    /// That key.
    pub signing_key: SigningKey,
    /// Federation TLS and relay.
    pub identity: Identity,
    /// What the server says of itself.
    pub descriptor: SignedDescriptor,
}

/// The folder of keys.
#[derive(Debug, Clone)]
pub struct Keyring {
    folder: PathBuf,
    domain: Domain,
}

impl Keyring {
    /// The keys of a configured server.
    pub fn of(config: &Config) -> Self {
        Self { folder: config.data.join("keys"), domain: config.domain.0.clone() }
    }

    /// Where the root key lies if it is not kept offline.
    pub fn root_file(&self) -> PathBuf {
        self.folder.join("root.key")
    }

    /// Where the descriptor lies.
    pub fn descriptor_file(&self) -> PathBuf {
        self.folder.join("descriptor")
    }

    /// The files that must be there and that only the server's user may read.
    pub fn secret_files(&self) -> Vec<PathBuf> {
        ["device-ca.key", "signing.key", "federation.key", "federation-next.key"]
            .map(|name| self.file(name))
            .to_vec()
    }

    /// Makes every key but the root's; refuses to touch one that is there.
    pub fn create(&self) -> Result<(), Error> {
        self.write_seed("device-ca.key")?;
        self.write_seed("signing.key")?;
        self.make_federation_key("federation")?;
        self.make_federation_key("federation-next")
    }

    /// Makes the key that the store's values are sealed with.
    pub fn create_store_key(path: &Path) -> Result<(), Error> {
        Ok(DataKey::generate().write_new(path)?)
    }

    /// Makes a self-signed certificate for the public HTTPS port.
    pub fn create_public(&self, certificate: &Path, key: &Path) -> Result<(), Error> {
        let pair = rcgen::KeyPair::generate()?;
        let mut params = rcgen::CertificateParams::new(vec![self.domain.host().to_owned()])?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, self.domain.host());
        write(key, pair.serialize_pem().as_bytes())?;
        write(certificate, params.self_signed(&pair)?.pem().as_bytes())
    }

    /// Everything that a running server needs.
    pub fn load(&self) -> Result<Held, Error> {
        if !self.folder.exists() {
            return Err(Error::NoKeys(self.folder.clone()));
        }
        let signed = self.descriptor()?;
        let descriptor = Descriptor::verify(&signed)?;
        let ca = self.seed("device-ca.key")?;
        let device_ca = DeviceCa::new(ca, descriptor.device_ca.clone(), &descriptor.root, &self.domain)?;
        let (signing_key, identity) = (self.seed("signing.key")?, self.identity("federation")?);
        let named = |key: &ServerSigningKey| key.public_key == signing_key.public();
        if !descriptor.signing_keys.iter().any(named) {
            return Err(Error::OtherKey(self.file("signing.key")));
        }
        if !descriptor.federation_pins.contains(&identity.spki()) {
            return Err(Error::OtherKey(self.file("federation.key")));
        }
        Ok(Held {
            device_ca,
            signing_key_id: key_id(&signing_key),
            signing_key,
            identity,
            descriptor: signed,
        })
    }

    /// The descriptor as it was last signed.
    pub fn descriptor(&self) -> Result<SignedDescriptor, Error> {
        read_descriptor(&self.descriptor_file())
    }

    /// Signs a new descriptor out of the configuration and the keys that are there.
    pub fn sign(&self, config: &Config, root: &SigningKey, now: Time) -> Result<SignedDescriptor, Error> {
        let before = self.before()?;
        if before.as_ref().is_some_and(|(_, descriptor)| descriptor.root != root.public()) {
            return Err(Error::OtherRoot);
        }
        self.sign_after(config, root, before, Vec::new(), now)
    }

    /// Makes another root the organisation's: the old one says so, and the new one signs.
    pub fn rotate_root(
        &self,
        config: &Config,
        old: &SigningKey,
        new: &SigningKey,
        now: Time,
    ) -> Result<SignedDescriptor, Error> {
        let before = self.before()?;
        if before.as_ref().is_none_or(|(_, descriptor)| descriptor.root != old.public()) {
            return Err(Error::OtherRoot);
        }
        let step = sign_succession(old, &self.domain, &new.public(), now);
        self.sign_after(config, new, before, vec![step], now)
    }

    /// Puts the next federation key in the place of the current one and makes another next one. Sign a descriptor afterwards.
    pub fn rotate_federation(&self) -> Result<(), Error> {
        for ending in ["key", "pem"] {
            let (next, current) =
                (self.file(&format!("federation-next.{ending}")), self.file(&format!("federation.{ending}")));
            fs::rename(&next, &current).map_err(|error| Error::Io(next, error))?;
        }
        self.make_federation_key("federation-next")
    }

    fn before(&self) -> Result<Option<(SignedDescriptor, Descriptor)>, Error> {
        if !self.descriptor_file().exists() {
            return Ok(None);
        }
        let signed = self.descriptor()?;
        let descriptor = Descriptor::verify(&signed)?;
        Ok(Some((signed, descriptor)))
    }

    fn sign_after(
        &self,
        config: &Config,
        root: &SigningKey,
        before: Option<(SignedDescriptor, Descriptor)>,
        steps: Vec<RootSuccession>,
        now: Time,
    ) -> Result<SignedDescriptor, Error> {
        let ca = self.seed("device-ca.key")?.public();
        let serial = random::bytes();
        let device_ca = issue_device_ca(root, &self.domain, &ca, serial, now, limits::DEVICE_CA_LIFETIME)?;
        let (mut successions, serial, signing_keys) = match before {
            Some((signed, old)) => {
                (signed.successions, old.serial + 1, self.signing_keys(&old.signing_keys, now)?)
            }
            None => (Vec::new(), 1, self.signing_keys(&[], now)?),
        };
        successions.extend(steps);
        let descriptor = Descriptor {
            domain: self.domain.clone(),
            serial,
            not_before: now,
            not_after: now + limits::DESCRIPTOR_LIFETIME,
            root: root.public(),
            federation_endpoints: config.federation_endpoints(),
            relay_endpoints: config.relay_endpoints(),
            federation_pins: vec![
                self.identity("federation")?.spki(),
                self.identity("federation-next")?.spki(),
            ],
            signing_keys,
            device_ca,
            jurisdiction: config.jurisdiction.0,
            protocol_versions: vec![PROTOCOL_VERSION],
            features: Vec::new(),
        };
        let signed = descriptor.sign(root, successions)?;
        let file = self.descriptor_file();
        secret_file::replace(&file, &signed.encode_to_vec()).map_err(|error| Error::Io(file, error))?;
        Ok(signed)
    }

    /// The key in use first, then those before it for as long as they were promised.
    fn signing_keys(&self, before: &[ServerSigningKey], now: Time) -> Result<Vec<ServerSigningKey>, Error> {
        let key = self.seed("signing.key")?;
        let current = ServerSigningKey {
            key_id: key_id(&key),
            public_key: key.public(),
            not_after: now + limits::DESCRIPTOR_LIFETIME,
        };
        let older = before.iter().filter(|old| old.key_id != current.key_id && old.not_after > now).cloned();
        Ok(std::iter::once(current.clone()).chain(older).take(limits::SIGNING_KEYS).collect())
    }

    fn identity(&self, name: &str) -> Result<Identity, Error> {
        let (certificate, key) = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        let read =
            CertificateDer::from_pem_file(&certificate).map_err(|_| Error::Pem(certificate.clone()))?;
        let key = PrivateKeyDer::from_pem_file(&key).map_err(|_| Error::Pem(key))?;
        Identity::new(read, key).map_err(|error| Error::Mismatch(certificate, error))
    }

    fn make_federation_key(&self, name: &str) -> Result<(), Error> {
        let pair = rcgen::KeyPair::generate()?;
        let certificate =
            rcgen::CertificateParams::new(vec![self.domain.host().to_owned()])?.self_signed(&pair)?;
        write(&self.file(&format!("{name}.key")), pair.serialize_pem().as_bytes())?;
        write(&self.file(&format!("{name}.pem")), certificate.pem().as_bytes())
    }

    fn seed(&self, name: &str) -> Result<SigningKey, Error> {
        Ok(read_key(&self.file(name))?)
    }

    fn write_seed(&self, name: &str) -> Result<(), Error> {
        Ok(secret_file::write_new(&self.file(name), &random::bytes())?)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Reads a signing key from its file.
pub fn read_key(path: &Path) -> Result<SigningKey, secret_file::Error> {
    secret_file::read(path).map(|seed| SigningKey::from_seed(&seed))
}

/// Reads a descriptor from a file; whether it is good is not checked.
pub fn read_descriptor(path: &Path) -> Result<SignedDescriptor, Error> {
    let bytes = fs::read(path).map_err(|error| Error::Io(path.to_owned(), error))?;
    SignedDescriptor::decode(&*bytes).map_err(|_| Error::NoDescriptor(path.to_owned()))
}

/// The beginning of the key's fingerprint.
fn key_id(key: &SigningKey) -> String {
    let fingerprint = key.public().fingerprint();
    HEXLOWER.encode(fingerprint.as_bytes().first_chunk::<8>().unwrap_or(&[0; 8]))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    secret_file::create(path, bytes).map_err(|error| Error::Io(path.to_owned(), error))
}
