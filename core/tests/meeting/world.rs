//! Two servers and the devices behind them, driven by hand: every output is carried at once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use conclave_core::{
    group::{Identity, Joiner, Member, Suite},
    identity::{
        address::{DeviceUri, Domain},
        descriptor::{Descriptor, Endpoint, Jurisdiction, ServerSigningKey},
        keys::{Fingerprint, SigningKey},
        pins::Pins,
    },
    ids::{Sequence, SessionNumber},
    limits,
    meeting::{
        aside::Aside,
        follower::Follower,
        hub::{Ask, Hub, Input, Receipt, Ticket},
        link::LinkSecret,
        log::{Entry, ServerSigner},
        policy::Rules,
        record::{NewRecord, Record},
        room::{Effect, Room},
    },
    time::Time,
};
use conclave_proto::types::v1 as wire;
use conclave_testkit::people::{Organisation, START};
use sha2::{Digest, Sha256};

pub(crate) const SUITE: Suite = Suite::Classical;

pub(crate) fn signer(organisation: &Organisation) -> ServerSigner {
    let seed = Sha256::digest(organisation.domain().as_str()).into();
    ServerSigner {
        domain: organisation.domain().clone(),
        key_id: "k1".into(),
        key: SigningKey::from_seed(&seed),
    }
}

fn descriptor(organisation: &Organisation) -> wire::SignedDescriptor {
    let descriptor = Descriptor {
        domain: organisation.domain().clone(),
        serial: 1,
        not_before: START - limits::CLOCK_SKEW,
        not_after: START + Duration::from_hours(90 * 24),
        root: organisation.root_key(),
        federation_endpoints: vec![Endpoint::parse("north.example:7400").unwrap()],
        relay_endpoints: vec![Endpoint::parse("north.example:7401").unwrap()],
        federation_pins: vec![Fingerprint::of_spki(organisation.domain().as_str().as_bytes())],
        signing_keys: vec![ServerSigningKey {
            key_id: "k1".into(),
            public_key: signer(organisation).key.public(),
            not_after: START + Duration::from_hours(90 * 24),
        }],
        device_ca: organisation.ca().certificate().clone(),
        jurisdiction: Jurisdiction::parse("DE").unwrap(),
        protocol_versions: vec![1],
        features: vec![],
    };
    descriptor.sign(organisation.root(), vec![]).unwrap()
}

pub(crate) fn pins(organisations: &[&Organisation]) -> Pins {
    let mut pins = Pins::default();
    for organisation in organisations {
        pins.accept(&descriptor(organisation), START).unwrap();
    }
    pins
}

/// One device.
pub(crate) struct Device {
    pub(crate) identity: Identity,
    pub(crate) joiner: Option<Joiner>,
    pub(crate) member: Option<Member>,
    pub(crate) heard: Vec<Vec<u8>>,
    /// The last entry taken.
    pub(crate) at: Sequence,
    pub(crate) pending: bool,
    pub(crate) before: Vec<(Sequence, conclave_core::group::member::Snapshot)>,
}

impl Device {
    pub(crate) fn uri(&self) -> DeviceUri {
        self.identity.chain().claimed_uri().clone()
    }
}

/// The whole of it. Devices are named by their place in `devices`.
pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) north: Organisation,
    pub(crate) south: Organisation,
    pub(crate) pins: Pins,
    pub(crate) hub: Hub,
    pub(crate) follower: Option<Follower>,
    pub(crate) secret: LinkSecret,
    pub(crate) devices: Vec<Device>,
    /// What the hub stored of its last session.
    pub(crate) entries: Vec<Entry>,
    pub(crate) opened: Option<(SessionNumber, Vec<wire::DeviceSigned>)>,
    pub(crate) changes: Vec<wire::DeviceSigned>,
    pub(crate) mirrored: Vec<Entry>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) follower_effects: Vec<Effect>,
    pub(crate) asks: Vec<(DeviceUri, Ask)>,
    pub(crate) refusals: Vec<(Domain, u32)>,
    pub(crate) asides: Vec<Aside>,
    pub(crate) replies: BTreeMap<Ticket, Receipt>,
    tickets: u64,
    seed: u32,
}

pub(crate) const ALICE: usize = 0;
pub(crate) const BOB: usize = 1;
pub(crate) const MALLORY: usize = 2;

impl World {
    /// alice@north makes a meeting with a link; bob and mallory are of south.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Rules)) -> Self {
        let (north, south) = (Organisation::new("north.example"), Organisation::new("south.example"));
        let pins = pins(&[&north, &south]);
        let secret = LinkSecret::from_bytes([42; 32]);
        let people = [north.device("alice", 1), south.device("bob", 1), south.device("mallory", 1)];
        let mut rules = Rules::for_creator(people[0].chain().claimed_uri().user().clone());
        rules.link_key = Some(secret.link_key().public());
        change(&mut rules);
        let details = wire::MeetingDetails { title: "Budget".into(), ..wire::MeetingDetails::default() };
        let new = NewRecord {
            hub: north.domain().clone(),
            suite: SUITE,
            rules,
            details: Some((details, &secret)),
            nonce: [7; 32],
            created: START,
        };
        let record = Record::create(new, &people[0]).unwrap();
        let hub = Hub::new(record, signer(&north));
        let mut world = Self {
            now: START + Duration::from_secs(1),
            pins,
            hub,
            follower: None,
            secret,
            devices: Vec::new(),
            entries: Vec::new(),
            opened: None,
            changes: Vec::new(),
            mirrored: Vec::new(),
            effects: Vec::new(),
            follower_effects: Vec::new(),
            asks: Vec::new(),
            refusals: Vec::new(),
            asides: Vec::new(),
            replies: BTreeMap::new(),
            tickets: 0,
            seed: 0,
            north,
            south,
        };
        for identity in people {
            world.add_device(identity);
        }
        world
    }

    /// alice and bob are in.
    pub(crate) fn running() -> Self {
        let mut world = Self::new();
        world.enter(ALICE, None);
        let link = world.link_evidence(BOB);
        world.enter(BOB, link);
        world
    }

    pub(crate) fn add_device(&mut self, identity: Identity) -> usize {
        self.devices.push(Device {
            identity,
            joiner: None,
            member: None,
            heard: Vec::new(),
            at: Sequence(0),
            pending: false,
            before: Vec::new(),
        });
        self.devices.len() - 1
    }

    pub(crate) fn record(&self) -> &Arc<Record> {
        self.hub.record()
    }

    pub(crate) fn room(&self) -> &Room {
        self.hub.room().unwrap()
    }

    pub(crate) fn session(&self) -> SessionNumber {
        self.hub.session(self.now).number
    }

    pub(crate) fn fresh(&mut self) -> [u8; 32] {
        self.seed += 1;
        let mut seed = [0x5E; 32];
        seed[..4].copy_from_slice(&self.seed.to_be_bytes());
        seed
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.tick();
    }

    pub(crate) fn tick(&mut self) {
        self.hub.handle(self.now, &self.pins, Input::Tick).unwrap();
        self.carry();
    }
}
