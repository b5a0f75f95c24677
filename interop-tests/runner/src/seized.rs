//! A home server in mallory's hands: its own keys, its own name, and what no honest server would say to a peer.

use std::{fs, sync::Arc};

use anyhow::{Context, Result};
use conclave_proto::{
    federation::v1::{
        HelloRequest, SubmitRequest, directory_service_client::DirectoryServiceClient,
        meeting_service_client::MeetingServiceClient, submit_request::Item,
    },
    types::v1::{ServerDescriptor, ServerSigned, Signed, SignedDescriptor, Withdraw, WithdrawBasis},
};
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use prost::{Message as _, bytes::Bytes};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tonic::transport::Channel;

use crate::{
    grpc,
    mallory::{Answer, Where, now_ms, reason, sign},
    organisation::Organisation,
};

/// The seized server, connected to a peer.
pub(crate) struct Seized {
    channel: Channel,
    domain: String,
    key: SigningKey,
    key_id: String,
}

impl Seized {
    /// Connects to a peer as this organisation's server.
    pub(crate) async fn connect(own: &Organisation, peer: &Organisation) -> Result<Self> {
        let keys = own.data().join("keys");
        let address =
            format!("{}:{}", peer.domain.split(':').next().unwrap_or_default(), peer.ports.federation);
        let channel = grpc::connect(&address, identity(own, peer)?).await?;
        let descriptor = SignedDescriptor::decode(Bytes::from(fs::read(keys.join("descriptor"))?))?;
        let payload = descriptor.descriptor.clone().context("no descriptor")?.payload;
        let signing = ServerDescriptor::decode(payload)?.signing_keys;
        let key_id = signing.first().context("no signing key")?.key_id.clone();
        let seed = HEXLOWER.decode(fs::read_to_string(keys.join("signing.key"))?.trim().as_bytes())?;
        let seed: [u8; 32] = seed.as_slice().try_into().context("signing key")?;
        let hello = HelloRequest { descriptor: Some(descriptor) };
        DirectoryServiceClient::new(channel.clone()).hello(hello).await.context("hello")?;
        Ok(Self { channel, domain: own.domain.clone(), key: SigningKey::from_bytes(&seed), key_id })
    }

    /// Hands in a submission as if it came from one of its own devices.
    pub(crate) async fn submit(&self, place: &Where, submission: Signed) -> Result<Answer> {
        self.hand_in(place, Item::Submission(submission)).await
    }

    /// Takes out a user, as only that user's own server may.
    pub(crate) async fn withdraw(&self, place: &Where, session: u64, subject: &str) -> Result<Answer> {
        let withdraw = Withdraw {
            meeting_id: place.id.clone(),
            session,
            subject: subject.to_owned(),
            basis: WithdrawBasis::AccountDisabled.into(),
            time_ms: now_ms(),
            submission_id: Bytes::from_static(&[9; 16]),
            entered_sequence: 0,
        };
        let payload = Bytes::from(withdraw.encode_to_vec());
        let signed = Signed { signature: sign(&self.key, "withdraw", &payload), payload };
        let signed =
            ServerSigned { signed: Some(signed), domain: self.domain.clone(), key_id: self.key_id.clone() };
        self.hand_in(place, Item::Withdraw(signed)).await
    }

    async fn hand_in(&self, place: &Where, item: Item) -> Result<Answer> {
        let request =
            SubmitRequest { meeting_id: place.id.clone(), item: Some(item), attachment: Bytes::new() };
        match MeetingServiceClient::new(self.channel.clone()).submit(request).await {
            Ok(answer) => Ok(Answer::Logged(answer.into_inner().sequence)),
            Err(status) => Ok(Answer::Refused(reason(&status)?)),
        }
    }
}

/// TLS with this organisation's federation certificate, trusting the peer's.
fn identity(own: &Organisation, peer: &Organisation) -> Result<Arc<ClientConfig>> {
    let (own, peer) = (own.data().join("keys"), peer.data().join("keys"));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(peer.join("federation.pem"))?)?;
    let chain = vec![CertificateDer::from_pem_file(own.join("federation.pem"))?];
    let key = PrivateKeyDer::from_pem_file(own.join("federation.key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}
