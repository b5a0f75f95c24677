//! A signed-in device, reduced to its key and its connection.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use conclave_cli::api::{Address, Api};
use conclave_core::{
    group::Identity,
    identity::{
        address::{DeviceUri, Domain, UserAddress, UserKind},
        certificate::Chain,
        keys::SigningKey,
        possession,
    },
    time::Time,
};
use conclave_proto::client::v1 as api;
use futures::{Stream, StreamExt};
use prost::Message;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// The messages of a server stream.
pub(crate) type Items<A> = Box<dyn Stream<Item = Result<A>> + Send + Unpin>;

/// A signed-in device.
pub(crate) struct Person {
    api: Api,
    /// Its key and certificates.
    pub(crate) identity: Identity,
}

impl Person {
    /// Signs in with a new device.
    pub(crate) async fn sign_in(server: &Domain, ca: &Path, user: &str, password: &str) -> Result<Self> {
        let server_api = Api::new(&Address { server: server.clone(), ca: Some(ca.to_owned()) })?;
        let key = SigningKey::from_seed(&random());
        let address = UserAddress::new(UserKind::User, user, server.clone())?;
        let request = api::SignInRequest {
            user: user.to_owned(),
            password: password.to_owned(),
            device_key: Bytes::copy_from_slice(key.public().as_bytes()),
            possession: Bytes::copy_from_slice(&possession::prove(&address, &key)),
            label: "load".to_owned(),
            device_id: String::new(),
        };
        let answer = server_api
            .call("/conclave.client.v1.AccountService/SignIn", request.encode_to_vec().into())
            .await
            .context("signing in")?;
        let answer = api::SignInResponse::decode(answer)?;
        server_api.set_token(Some(&answer.session_token.into_bytes().into()));
        let identity = Identity::new(key, Chain::parse(&answer.certificate_chain)?)?;
        Ok(Self { api: server_api, identity })
    }

    /// The device's name.
    pub(crate) fn uri(&self) -> &DeviceUri {
        self.identity.chain().claimed_uri()
    }

    /// A unary call.
    pub(crate) async fn call<A: Message + Default>(
        &self,
        path: &'static str,
        request: &impl Message,
    ) -> Result<A> {
        let answer = self.api.call(path, request.encode_to_vec().into()).await.context(path)?;
        Ok(A::decode(answer)?)
    }

    /// A server stream.
    pub(crate) async fn open<A: Message + Default>(
        &self,
        path: &'static str,
        request: &impl Message,
    ) -> Result<Items<A>> {
        let stream = self.api.open(path, request.encode_to_vec().into()).await.context(path)?;
        Ok(Box::new(stream.map(|item| Ok(A::decode(item?)?))))
    }
}

/// Fresh randomness.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    ChaCha20Rng::from_seed(seed()).fill_bytes(&mut bytes);
    bytes
}

fn seed() -> <ChaCha20Rng as SeedableRng>::Seed {
    use std::io::Read;
    let mut seed = [0; 32];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut seed));
    assert!(read.is_ok(), "the system gives randomness");
    seed
}

/// Now, by the wall clock.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
