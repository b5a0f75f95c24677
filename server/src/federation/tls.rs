//! TLS between home servers: 1.3 only, a certificate on both sides, identity by the pinned public key.
//!
//! Neither issuer, name nor dates of a federation certificate mean anything; its `SubjectPublicKeyInfo` does. A caller whose key is
//! not known yet completes the handshake too: what it may then do is decided in `rpc::caller`, for each call.

use std::{fmt, sync::Arc};

use conclave_core::identity::keys::Fingerprint;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error as TlsError,
    ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    server::{
        ParsedCertificate,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

/// ALPN of gRPC.
pub const ALPN_H2: &[u8] = b"h2";

/// The key or certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificate cannot be read.
    #[error("the federation certificate cannot be read: {0}")]
    Certificate(TlsError),
    /// The key cannot be read, or is not the certificate's.
    #[error("the federation key cannot be used: {0}")]
    Key(TlsError),
    /// A new certificate could not be made.
    #[error("no federation certificate could be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// What a certificate's key is pinned by: SHA-256 of its `SubjectPublicKeyInfo` in DER (spec: FED-01).
pub fn fingerprint(certificate: &CertificateDer<'_>) -> Result<Fingerprint, TlsError> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    Ok(Fingerprint::of_spki(parsed.subject_public_key_info().as_ref()))
}

/// This server's federation key and the certificate that carries it; serves gRPC and the relay alike.
#[derive(Clone)]
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: Arc<PrivateKeyDer<'static>>,
    spki: Fingerprint,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("spki", &self.spki).finish_non_exhaustive()
    }
}

impl Identity {
    /// From DER; checks that both can be read.
    pub fn new(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Result<Self, Error> {
        let spki = fingerprint(&certificate).map_err(Error::Certificate)?;
        let identity = Self { certificate, key: Arc::new(key), spki };
        identity.client_config(Vec::new(), ALPN_H2)?;
        Ok(identity)
    }

    /// A fresh P-256 key with a self-signed certificate; the name in it is for people who look at traces.
    pub fn generate(domain: &str) -> Result<Self, Error> {
        let host = domain.split(':').next().unwrap_or(domain);
        let key = rcgen::KeyPair::generate()?;
        let certificate = rcgen::CertificateParams::new(vec![host.to_owned()])?.self_signed(&key)?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Self::new(certificate.der().clone(), key)
    }

    /// The certificate.
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The private key, for storing.
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// What the descriptor pins.
    pub const fn spki(&self) -> Fingerprint {
        self.spki
    }

    /// For answering: asks for a certificate, takes any well-formed one and proves that the caller holds its key (spec: FED-02).
    pub fn server_config(&self, alpn: &[u8]) -> Result<ServerConfig, Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(Error::Key)?
            .with_client_cert_verifier(Arc::new(AnyKey(provider())))
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .map_err(Error::Key)?;
        config.alpn_protocols = vec![alpn.to_vec()];
        // No resumption: every connection proves its key anew.
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// For calling: only a server that holds one of the pinned keys will do (spec: FED-01).
    pub fn client_config(&self, pins: Vec<Fingerprint>, alpn: &[u8]) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(Error::Key)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PinnedKey { provider: provider(), pins }))
            .with_client_auth_cert(vec![self.certificate.clone()], self.key.clone_key())
            .map_err(Error::Key)?;
        config.alpn_protocols = vec![alpn.to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        config.enable_sni = false;
        Ok(config)
    }
}

/// What a handshake with an unpinned server fails with.
pub fn is_pin_mismatch(error: &TlsError) -> bool {
    *error == TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

/// The cryptography of every connection: aws-lc-rs with the hybrid post-quantum key exchange first.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::OnceLock<Arc<CryptoProvider>> = std::sync::OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())).clone()
}

/// Accepts any well-formed certificate, once the handshake is signed with its key.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        fingerprint(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(TlsError::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Accepts the holders of the pinned keys.
#[derive(Debug)]
struct PinnedKey {
    provider: Arc<CryptoProvider>,
    pins: Vec<Fingerprint>,
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if self.pins.contains(&fingerprint(end_entity)?) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(TlsError::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)] // Tests may panic.
    use rustls::{ClientConnection, ServerConnection};

    use super::*;

    /// Runs a handshake in memory; `Err` is the first side's refusal.
    fn shake(
        client: ClientConfig,
        server: ServerConfig,
    ) -> Result<(ClientConnection, ServerConnection), TlsError> {
        let name = ServerName::try_from("peer.invalid").unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name)?;
        let mut server = ServerConnection::new(Arc::new(server))?;
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            let mut wire = Vec::new();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok((client, server))
    }

    #[test]
    fn fed_01_only_the_pinned_key_is_accepted() {
        let (north, south, other) = (
            Identity::generate("north.example").unwrap(),
            Identity::generate("south.example").unwrap(),
            // The same name, another key: what a mis-issuing authority would hand out.
            Identity::generate("south.example").unwrap(),
        );
        let next = Fingerprint::parse(&[1; 32]).unwrap();
        let pins = vec![next, south.spki()];
        let good =
            shake(north.client_config(pins.clone(), ALPN_H2).unwrap(), south.server_config(ALPN_H2).unwrap());
        let (client, server) = good.unwrap();
        assert_eq!(fingerprint(&server.peer_certificates().unwrap()[0]).unwrap(), north.spki());
        assert_eq!(client.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
        let group = client.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);

        let bad = shake(north.client_config(pins, ALPN_H2).unwrap(), other.server_config(ALPN_H2).unwrap());
        assert!(is_pin_mismatch(&bad.unwrap_err()));
    }

    #[test]
    fn fed_02_a_caller_without_certificate_or_with_another_protocol_is_refused() {
        let south = Identity::generate("south.example").unwrap();
        let verifier = || Arc::new(PinnedKey { provider: provider(), pins: vec![south.spki()] });
        let mut bare = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(verifier())
            .with_no_client_auth();
        bare.alpn_protocols = vec![ALPN_H2.to_vec()];
        assert!(shake(bare, south.server_config(ALPN_H2).unwrap()).is_err());

        let mut wrong_protocol = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(verifier())
            .with_client_auth_cert(vec![south.certificate.clone()], south.key.clone_key())
            .unwrap();
        wrong_protocol.alpn_protocols = vec![b"http/1.1".to_vec()];
        assert!(shake(wrong_protocol, south.server_config(ALPN_H2).unwrap()).is_err());
    }

    #[test]
    fn fed_02_a_certificate_without_its_key_is_refused() {
        let (south, mallory) =
            (Identity::generate("s.example").unwrap(), Identity::generate("m.example").unwrap());
        let thief = Identity { key: mallory.key.clone(), ..south.clone() };
        assert!(thief.client_config(vec![], ALPN_H2).is_err(), "rustls itself refuses the mismatch");
        // A forged resolver gets past the builder; the handshake signature then fails.
        let key = provider().key_provider.load_private_key(mallory.key.clone_key()).unwrap();
        let certified = rustls::sign::CertifiedKey::new(vec![south.certificate.clone()], key);
        let mut forged = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PinnedKey {
                provider: provider(),
                pins: vec![south.spki()],
            }))
            .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        forged.alpn_protocols = vec![ALPN_H2.to_vec()];
        assert!(shake(forged, south.server_config(ALPN_H2).unwrap()).is_err());
    }
}
