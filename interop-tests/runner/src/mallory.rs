//! A hostile client: signs in like anybody, then says by hand what honest clients would not.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use conclave_proto::{
    client::v1::{
        LookUpMeetingRequest, SignInRequest, SubmitRequest, account_service_client::AccountServiceClient,
        meeting_service_client::MeetingServiceClient,
    },
    types::v1::{EntryKind, ErrorDetail, ErrorReason, Evidence, Join, MeetingRecord, Signed, Submission},
};
use ed25519_dalek::{Signer as _, SigningKey};
use openmls::prelude::{
    Capabilities, Ciphersuite, Credential, CredentialType, CredentialWithKey, ExtensionType, KeyPackage,
    Lifetime, MlsMessageOut, OpenMlsProvider as _, ProtocolVersion, SignatureScheme,
};
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::{
    random::OpenMlsRand as _,
    signatures::{Signer, SignerError},
};
use prost::{Message as _, bytes::Bytes};
use rustls::ClientConfig;
use tls_codec::{Serialize as _, VLByteSlice};
use tonic::{Request, Status, metadata::AsciiMetadataValue, transport::Channel};

use crate::grpc;

/// The policy's extension in every group (spec: GRP-03).
const POLICY_EXTENSION: u16 = 0xF0C0;

/// Signed in and up to no good.
pub(crate) struct Mallory {
    channel: Channel,
    token: AsciiMetadataValue,
    key: SigningKey,
    /// Her device's URI.
    pub(crate) device: String,
    chain: Vec<Bytes>,
    provider: OpenMlsRustCrypto,
}

/// Which meeting, and where.
#[derive(Debug, Clone)]
pub(crate) struct Where {
    /// The meeting's id.
    pub(crate) id: Bytes,
    /// The hub's domain.
    pub(crate) hub: String,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was logged at this sequence.
    Logged(u64),
    /// It was refused for this reason.
    Refused(ErrorReason),
}

impl Mallory {
    /// Signs in with a fresh key.
    pub(crate) async fn sign_in(
        domain: &str,
        tls: Arc<ClientConfig>,
        user: &str,
        password: &str,
    ) -> Result<Self> {
        let channel = grpc::connect(domain, tls).await?;
        let provider = OpenMlsRustCrypto::default();
        let key = SigningKey::from_bytes(&random(&provider)?);
        let public = key.verifying_key().to_bytes();
        let proof = [format!("{user}@{domain}").as_bytes(), &[0], &public].concat();
        let request = SignInRequest {
            user: user.to_owned(),
            password: password.to_owned(),
            device_key: Bytes::copy_from_slice(&public),
            possession: sign(&key, "sign-in", &proof),
            label: "mallory".to_owned(),
            device_id: String::new(),
        };
        let answer = AccountServiceClient::new(channel.clone())
            .sign_in(request)
            .await
            .map_err(|status| told(&status))?
            .into_inner();
        let token = format!("Bearer {}", answer.session_token).parse().context("session token")?;
        Ok(Self { channel, token, key, device: answer.device, chain: answer.certificate_chain, provider })
    }

    /// A Join with a fresh KeyPackage and whatever evidence; signed as it has to be.
    pub(crate) async fn join(&self, place: &Where, evidence: Option<Evidence>) -> Result<Signed> {
        let found = self.look_up(place).await?;
        let record = found.record.and_then(|record| record.signed).context("no record")?;
        let suite = MeetingRecord::decode(record.payload)?.mls_cipher_suite;
        let join = Join { key_package: self.key_package(suite)?, evidence, expires_ms: now_ms() + 60_000 };
        let submission = Submission {
            meeting_id: place.id.clone(),
            session: found.session,
            submission_id: Bytes::copy_from_slice(&random::<16>(&self.provider)?),
            kind: EntryKind::Join.into(),
            device: self.device.clone(),
            time_ms: now_ms(),
            content: join.encode_to_vec().into(),
        };
        let payload = Bytes::from(submission.encode_to_vec());
        Ok(Signed { signature: sign(&self.key, "submission", &payload), payload })
    }

    /// Hands in a submission through her own server.
    pub(crate) async fn submit(&self, place: &Where, submission: Signed) -> Result<Answer> {
        let request = SubmitRequest {
            meeting_id: place.id.clone(),
            hub: place.hub.clone(),
            submission: Some(submission),
            attachment: Bytes::new(),
        };
        match self.meetings().submit(self.authorised(request)).await {
            Ok(answer) => Ok(Answer::Logged(answer.into_inner().sequence)),
            Err(status) => Ok(Answer::Refused(reason(&status)?)),
        }
    }

    async fn look_up(&self, place: &Where) -> Result<conclave_proto::client::v1::LookUpMeetingResponse> {
        let request =
            LookUpMeetingRequest { meeting_id: place.id.clone(), hub: place.hub.clone(), look: None };
        Ok(self
            .meetings()
            .look_up_meeting(self.authorised(request))
            .await
            .map_err(|status| told(&status))?
            .into_inner())
    }

    fn meetings(&self) -> MeetingServiceClient<Channel> {
        MeetingServiceClient::new(self.channel.clone())
    }

    fn authorised<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.clone());
        request
    }

    fn key_package(&self, suite: u32) -> Result<Bytes> {
        let suite = Ciphersuite::try_from(u16::try_from(suite)?)?;
        let capabilities = Capabilities::new(
            Some(&[ProtocolVersion::Mls10]),
            Some(&[suite]),
            Some(&[ExtensionType::Unknown(POLICY_EXTENSION)]),
            Some(&[]),
            Some(&[CredentialType::X509]),
        );
        let mut chain = Vec::new();
        for certificate in &self.chain {
            VLByteSlice(certificate).tls_serialize(&mut chain)?;
        }
        let credential = CredentialWithKey {
            credential: Credential::new(CredentialType::X509, chain),
            signature_key: self.key.verifying_key().to_bytes().as_slice().into(),
        };
        let now = now_ms() / 1000;
        let bundle = KeyPackage::builder()
            .key_package_lifetime(Lifetime::init(now - 3600, now + 365 * 24 * 3600))
            .leaf_node_capabilities(capabilities)
            .build(suite, &self.provider, &MlsSigner(&self.key), credential)?;
        Ok(MlsMessageOut::from(bundle.into_key_package()).to_bytes()?.into())
    }
}

struct MlsSigner<'a>(&'a SigningKey);

impl Signer for MlsSigner<'_> {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign(payload).to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// Ed25519 over `"conclave/v1/" LABEL 0x00 PAYLOAD` (spec: IDN-02).
pub(crate) fn sign(key: &SigningKey, label: &str, payload: &[u8]) -> Bytes {
    let message = [b"conclave/v1/", label.as_bytes(), &[0], payload].concat();
    Bytes::copy_from_slice(&key.sign(&message).to_bytes())
}

fn random<const N: usize>(provider: &OpenMlsRustCrypto) -> Result<[u8; N]> {
    provider.rand().random_array().map_err(|_| anyhow::anyhow!("no randomness"))
}

/// Unix time in milliseconds.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The machine-readable reason of a refusal; a refusal without one is itself a fault.
pub(crate) fn reason(status: &Status) -> Result<ErrorReason> {
    ensure!(!status.details().is_empty(), "refused without a reason: {status}");
    let detail = ErrorDetail::decode(status.details())?;
    ErrorReason::try_from(detail.reason).context("an unknown reason")
}

fn told(status: &Status) -> anyhow::Error {
    let reason =
        reason(status).map_or_else(|_| String::new(), |reason| format!(" ({})", reason.as_str_name()));
    anyhow::anyhow!("{:?}: {}{reason}", status.code(), status.message())
}
