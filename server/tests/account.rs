//! Accounts, sessions and devices over the store that servers run on, with passwords hashed for real.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_core::{
    identity::{
        address::{Domain, UserAddress},
        certificate::{DeviceCa, issue_device_ca},
        keys::SigningKey,
        possession,
        sealing::{SealingKeyPair, Suite},
    },
    time::Time,
};
use conclave_proto::types::v1::DeviceSigned;
use conclave_server::{
    account::{
        Error,
        accounts::Accounts,
        devices::{Devices, SignIn, SignedIn},
        sessions::Sessions,
    },
    config::Limits,
    store::{self, Shared, envelope::DataKey, schema},
};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const PASSWORD: &str = "correct horse";
const NOW: Time = Time::from_ms(1_800_000_000_000);

struct Organisation {
    _folder: tempfile::TempDir,
    store: Shared,
    root: SigningKey,
    accounts: Accounts,
    sessions: Sessions,
    devices: Devices,
}

impl Organisation {
    async fn with_alice() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = store::open(folder.path(), &DataKey::from_bytes([1; 32])).await.unwrap();
        let domain = Domain::parse("north.example").unwrap();
        let (root, ca) = (SigningKey::from_seed(&[2; 32]), SigningKey::from_seed(&[3; 32]));
        let year = Duration::from_hours(24 * 365);
        let certificate = issue_device_ca(&root, &domain, &ca.public(), [4; 16], NOW, year).unwrap();
        let ca = Arc::new(DeviceCa::new(ca, certificate, &root.public(), &domain).unwrap());
        let limits = Limits { devices_per_user: 3, ..Limits::default() };
        let accounts = Accounts::new(store.clone(), domain, &limits).unwrap();
        accounts.add("alice", Some("Alice North"), PASSWORD, NOW).await.unwrap();
        let devices = Devices::new(accounts.clone(), store.clone(), ca, &limits);
        Self { _folder: folder, sessions: Sessions::new(store.clone()), store, root, accounts, devices }
    }

    async fn sign_in(&self, user: &str, password: &str, device: u8) -> Result<SignedIn, Error> {
        let key = device_key(device);
        let proof = possession::prove(&address(user), &key);
        let request =
            SignIn { user, password, from: FROM, key: key.public(), possession: &proof, label: "laptop" };
        self.devices.sign_in(request, NOW, Instant::now()).await
    }
}

fn device_key(device: u8) -> SigningKey {
    SigningKey::from_seed(&[0x40 + device; 32])
}

fn address(user: &str) -> UserAddress {
    UserAddress::parse(&format!("{user}@north.example")).unwrap()
}

#[tokio::test]
async fn a_password_becomes_a_session_and_a_certificate() {
    let north = Organisation::with_alice().await;
    let signed_in = north.sign_in("alice", PASSWORD, 1).await.unwrap();
    let domain = Domain::parse("north.example").unwrap();
    let device = signed_in.chain.verify(&north.root.public(), &domain, NOW).unwrap();
    assert_eq!(device.uri, signed_in.device);
    assert_eq!(device.key, device_key(1).public());
    assert_eq!(device.display_name.as_str(), "Alice North");

    let caller = north.sessions.caller(signed_in.token.reveal(), NOW).await.unwrap();
    assert_eq!(caller.device, signed_in.device);
    assert_eq!(north.sessions.caller("guess", NOW).await, Err(Error::NoSession));
    assert_eq!(
        north.sessions.caller(signed_in.token.reveal(), signed_in.expires).await,
        Err(Error::NoSession)
    );
    let later = NOW + Duration::from_hours(80);
    let renewed = north.devices.renew(&caller, later).await.unwrap();
    assert!(renewed.verify(&north.root.public(), &domain, later + Duration::from_hours(160)).is_ok());
}

#[tokio::test]
async fn opr_03_nothing_tells_unknown_users_disabled_ones_and_wrong_passwords_apart() {
    let north = Organisation::with_alice().await;
    let wrong = |result: Result<SignedIn, Error>| assert_eq!(result.unwrap_err(), Error::WrongPassword);
    wrong(north.sign_in("alice", "incorrect horse", 1).await);
    wrong(north.sign_in("nobody", PASSWORD, 1).await);
    north.accounts.set_disabled("alice", true).await.unwrap();
    wrong(north.sign_in("alice", PASSWORD, 1).await);
    north.accounts.set_disabled("alice", false).await.unwrap();
    assert!(north.sign_in("alice", PASSWORD, 1).await.is_ok());
}

#[tokio::test]
async fn a_device_key_that_is_not_proved_is_refused() {
    let north = Organisation::with_alice().await;
    let proof = possession::prove(&address("bob"), &device_key(1));
    let key = device_key(1).public();
    let request =
        SignIn { user: "alice", password: PASSWORD, from: FROM, key, possession: &proof, label: "" };
    let refused = north.devices.sign_in(request, NOW, Instant::now()).await;
    assert_eq!(refused.unwrap_err(), Error::NoPossession);
}

#[tokio::test]
async fn the_same_key_is_the_same_device_and_has_one_session() {
    let north = Organisation::with_alice().await;
    let first = north.sign_in("alice", PASSWORD, 1).await.unwrap();
    let second = north.sign_in("alice", PASSWORD, 1).await.unwrap();
    assert_eq!(first.device, second.device);
    assert_eq!(north.sessions.caller(first.token.reveal(), NOW).await, Err(Error::NoSession));
    assert!(north.sessions.caller(second.token.reveal(), NOW).await.is_ok());
    assert_eq!(north.devices.list("alice").await.unwrap().len(), 1);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_forgets_the_sealing_key() {
    let north = Organisation::with_alice().await;
    let here = north.sign_in("alice", PASSWORD, 1).await.unwrap();
    let there = north.sign_in("alice", PASSWORD, 2).await.unwrap();
    let caller = north.sessions.caller(here.token.reveal(), NOW).await.unwrap();
    let published = sealing_key(&here, &device_key(1));
    north.devices.publish_sealing_key(&caller, &published).await.unwrap();
    let foreign = sealing_key(&there, &device_key(2));
    assert_eq!(north.devices.publish_sealing_key(&caller, &foreign).await, Err(Error::SealingKey));
    let stored = schema::sealing_key("alice", here.device.device());
    assert!(north.store.get(stored.as_bytes()).await.unwrap().is_some());

    assert_eq!(north.devices.sign_out(&address("bob"), &here.device).await, Err(Error::NoDevice));
    north.devices.sign_out(caller.user(), &here.device).await.unwrap();
    assert!(north.store.get(stored.as_bytes()).await.unwrap().is_none());
    assert_eq!(north.sessions.caller(here.token.reveal(), NOW).await, Err(Error::NoSession));
    assert_eq!(north.devices.publish_sealing_key(&caller, &published).await, Err(Error::NoSession));
    assert!(north.sessions.caller(there.token.reveal(), NOW).await.is_ok());
    assert_eq!(north.devices.sign_out_everywhere(&address("alice")).await, Ok(1));
    assert_eq!(north.sessions.caller(there.token.reveal(), NOW).await, Err(Error::NoSession));
}

#[tokio::test]
async fn devices_are_counted_and_expired_ones_make_room() {
    let north = Organisation::with_alice().await;
    for device in 1..=3 {
        north.sign_in("alice", PASSWORD, device).await.unwrap();
    }
    assert_eq!(north.sign_in("alice", PASSWORD, 4).await.unwrap_err(), Error::TooManyDevices);
    assert!(north.sign_in("alice", PASSWORD, 3).await.is_ok());
    let month = Duration::from_hours(24 * 31);
    let key = device_key(4);
    let proof = possession::prove(&address("alice"), &key);
    let request = SignIn {
        user: "alice",
        password: PASSWORD,
        from: FROM,
        key: key.public(),
        possession: &proof,
        label: "",
    };
    north.devices.sign_in(request, NOW + month, Instant::now()).await.unwrap();
    assert_eq!(north.devices.list("alice").await.unwrap().len(), 1);
}

#[tokio::test]
async fn c17_spraying_ends_in_a_wait_and_the_right_password_still_works_after_it() {
    let north = Organisation::with_alice().await;
    let mut throttled = 0;
    for _ in 0..15 {
        match north.sign_in("alice", "incorrect horse", 1).await {
            Err(Error::Throttled(_)) => throttled += 1,
            other => assert_eq!(other.unwrap_err(), Error::WrongPassword),
        }
    }
    assert!(throttled >= 4, "{throttled} of 15 were throttled");
    let (key, later) = (device_key(1), Instant::now() + Duration::from_mins(5));
    let proof = possession::prove(&address("alice"), &key);
    let request = SignIn {
        user: "alice",
        password: PASSWORD,
        from: FROM,
        key: key.public(),
        possession: &proof,
        label: "laptop",
    };
    assert!(north.devices.sign_in(request, NOW, later).await.is_ok());
}

fn sealing_key(signed_in: &SignedIn, key: &SigningKey) -> DeviceSigned {
    let pair = SealingKeyPair::from_seed(Suite::Classical, &[9; 32]).unwrap();
    let signed = pair.publish(&signed_in.device, NOW + Duration::from_hours(100), key);
    DeviceSigned { signed: Some(signed), certificate_chain: signed_in.chain.certificates().to_vec() }
}
