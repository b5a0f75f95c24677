//! A hostile client: signs in like anybody, then says by hand what honest clients would not.

use std::sync::Arc;

use anyhow::{Context, Result};
use conclave_proto::{
    client::v1::{
        LookUpMeetingRequest, LookUpMeetingResponse, SignInRequest, SubmitRequest, WatchRequest, WatchResponse,
        account_service_client::AccountServiceClient, meeting_service_client::MeetingServiceClient,
    },
    types::v1::{DeviceSigned, EntryKind, ErrorDetail, ErrorReason, Evidence, Join, Signed, Submission},
};
use ed25519_dalek::{Signer as _, SigningKey};
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, Credential, CredentialType, CredentialWithKey, ExtensionType,
    KeyPackage, Lifetime, MlsMessageOut, OpenMlsProvider as _, ProtocolVersion, SignatureScheme,
};
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::{
    random::OpenMlsRand as _,
    signatures::{Signer, SignerError},
};
use prost::{Message as _, bytes::Bytes};
use rustls::ClientConfig;
use tonic::{Request, Status, metadata::AsciiMetadataValue, transport::Channel};

use crate::{grpc, meeting::Meeting};

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
