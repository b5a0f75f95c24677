//! Two servers and the devices behind them, driven by hand: every output is carried at once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use conclave_core::{
    group::{CommitDraft, CommitPlan, Identity, Joiner, Member, Suite},
    identity::{
        address::{DeviceUri, Domain},
        descriptor::{Descriptor, Endpoint, Jurisdiction, ServerSigningKey},
        keys::{Fingerprint, SigningKey},
        pins::Pins,
    },
    ids::{Epoch, LeafIndex, Sequence, SessionNumber, SubmissionId},
    limits,
    meeting::{
        Error,
        admission::{JoinView, NewToken, sign_link, sign_token},
        commit_rules::Annotations,
        follower::{self, Follower},
        hub::{Ask, Hub, Input, Output, Receipt, Stored, Ticket},
        link::LinkSecret,
        log::{Entry, Kind, ServerSigner, group_id},
        policy::{Policy, PolicyChain, Rules, sign_change},
        record::{NewRecord, Record},
        room::{Effect, Room, Standing},
        submission::Submission,
    },
    time::Time,
};
use conclave_proto::types::v1 as wire;
use conclave_testkit::people::{Organisation, START};
use prost::{Message, bytes::Bytes};
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
    pending: bool,
    before: Vec<(Sequence, conclave_core::group::member::Snapshot)>,
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
    opened: Option<(SessionNumber, Vec<wire::DeviceSigned>)>,
    changes: Vec<wire::DeviceSigned>,
    pub(crate) mirrored: Vec<Entry>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) follower_effects: Vec<Effect>,
    pub(crate) asks: Vec<(DeviceUri, Ask)>,
    pub(crate) refusals: Vec<(Domain, u32)>,
    pub(crate) replies: BTreeMap<Ticket, Receipt>,
    tickets: u64,
    seed: u8,
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
        [self.seed; 32]
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

    // Evidence.

    pub(crate) fn renew_joiner(&mut self, who: usize) {
        let seed = self.fresh();
        let group = group_id(&self.record().id(), self.session());
        let identity = self.devices[who].identity.clone();
        self.devices[who].joiner = Some(Joiner::new(identity, SUITE, group, self.now, seed).unwrap());
    }

    pub(crate) fn view(&self, who: usize) -> JoinView {
        let joiner = self.devices[who].joiner.as_ref().unwrap();
        JoinView {
            meeting: self.record().id(),
            session: self.session(),
            device: self.devices[who].uri(),
            key_package_ref: joiner.key_package_ref(),
            expires: self.now + limits::JOIN_LIFETIME,
            evidence: None,
            jurisdiction: None,
        }
    }

    /// Makes a fresh KeyPackage and signs for it with the link's key; as `join` wants it.
    #[allow(clippy::unnecessary_wraps)]
    pub(crate) fn link_evidence(&mut self, who: usize) -> Option<wire::evidence::Evidence> {
        self.renew_joiner(who);
        Some(sign_link(&self.view(who), &self.secret.link_key()))
    }

    pub(crate) fn token(&mut self, by: usize, to: usize) -> wire::DeviceSigned {
        let new = NewToken {
            meeting: self.record().id(),
            address: self.devices[to].uri().user().clone(),
            id: [9; 16],
            role: wire::Role::Participant,
            issued: self.now,
            expires: self.now + Duration::from_hours(24),
        };
        sign_token(&new, &self.devices[by].identity)
    }

    /// A token for a fresh KeyPackage's device; as `join` wants it.
    #[allow(clippy::unnecessary_wraps)]
    pub(crate) fn token_evidence(&mut self, by: usize, to: usize) -> Option<wire::evidence::Evidence> {
        self.renew_joiner(to);
        Some(wire::evidence::Evidence::Token(self.token(by, to)))
    }

    // Submissions.

    pub(crate) fn submission(&mut self, who: usize, kind: Kind, content: Vec<u8>) -> Submission {
        let id = self.fresh()[..16].try_into().unwrap();
        Submission {
            meeting: self.record().id(),
            session: self.session(),
            id: SubmissionId::from_bytes(id),
            kind,
            device: self.devices[who].uri(),
            time: self.now,
            content: content.into(),
        }
    }

    pub(crate) fn signed(&mut self, who: usize, kind: Kind, content: Vec<u8>) -> wire::Signed {
        self.submission(who, kind, content).sign(&self.devices[who].identity)
    }

    pub(crate) fn hand_in(
        &mut self,
        from: &Domain,
        submission: wire::Signed,
        attachment: Vec<u8>,
    ) -> Result<Receipt, Error> {
        let ticket = self.ticket();
        let input =
            Input::Submit { ticket, from: from.clone(), submission, attachment: Bytes::from(attachment) };
        let handled = self.hub.handle(self.now, &self.pins, input);
        self.carry();
        handled.map(|()| self.replies[&ticket])
    }

    pub(crate) fn submit(&mut self, who: usize, kind: Kind, content: Vec<u8>) -> Result<Receipt, Error> {
        let signed = self.signed(who, kind, content);
        let from = self.devices[who].uri().domain().clone();
        self.hand_in(&from, signed, vec![])
    }

    pub(crate) fn join_content(&self, who: usize, evidence: Option<wire::evidence::Evidence>) -> Vec<u8> {
        wire::Join {
            key_package: self.devices[who].joiner.as_ref().unwrap().key_package().to_vec().into(),
            evidence: evidence.map(|evidence| wire::Evidence { evidence: Some(evidence) }),
            expires_ms: (self.now + limits::JOIN_LIFETIME).as_ms(),
        }
        .encode_to_vec()
    }

    /// Hands a Join in; evidence with a link signature needs the KeyPackage that it was made for.
    pub(crate) fn join(
        &mut self,
        who: usize,
        evidence: Option<wire::evidence::Evidence>,
    ) -> Result<Receipt, Error> {
        if evidence.is_none() || self.devices[who].joiner.is_none() {
            self.renew_joiner(who);
        }
        let content = self.join_content(who, evidence);
        self.submit(who, Kind::Join, content)
    }

    /// Joins, and whoever is asked commits.
    pub(crate) fn enter(&mut self, who: usize, evidence: Option<wire::evidence::Evidence>) {
        self.join(who, evidence).unwrap();
        self.answer();
        assert!(self.devices[who].member.is_some(), "device {who} is in");
    }

    pub(crate) fn standing(&self, who: usize) -> Standing {
        let device = &self.devices[who];
        let reference = device.joiner.as_ref().unwrap().key_package_ref();
        self.room().standing(&device.uri(), &reference, self.now)
    }

    pub(crate) fn place_of(&self, uri: &DeviceUri) -> usize {
        self.devices.iter().position(|device| device.uri() == *uri).unwrap()
    }

    /// Every ask is answered, until there is none.
    pub(crate) fn answer(&mut self) {
        while let Some((uri, ask)) = self.asks.pop() {
            self.asks.clear();
            let who = self.place_of(&uri);
            self.answer_one(who, &ask).unwrap();
        }
    }

    pub(crate) fn answer_one(&mut self, who: usize, ask: &Ask) -> Result<Receipt, Error> {
        if ask.found {
            return self.found(who);
        }
        let (plan, annotations) = self.plan_of(ask);
        self.commit(who, plan, &annotations)
    }

    pub(crate) fn plan_of(&self, ask: &Ask) -> (CommitPlan, Annotations) {
        let (mut plan, mut annotations) = (CommitPlan::default(), Annotations::default());
        let room = self.room();
        for &sequence in &ask.joins {
            let join = room.doors().join(sequence).unwrap();
            plan.adds.push(join.key_package.to_vec());
            let admit = join.admitted.map(|(admit, _)| admit);
            annotations.adds.push((sequence, join.view.key_package_ref, admit));
            if let Some(old) = room.member(join.device()) {
                plan.removes.push(old.leaf);
            }
        }
        for &sequence in &ask.removes {
            for device in &room.doors().departure(sequence).unwrap().devices {
                let Some(member) = room.member(device).filter(|member| room.has_left(member)) else {
                    continue;
                };
                if !plan.removes.contains(&member.leaf) {
                    plan.removes.push(member.leaf);
                    annotations.removes.push((member.leaf, sequence));
                }
            }
        }
        (plan, annotations)
    }

    pub(crate) fn found(&mut self, who: usize) -> Result<Receipt, Error> {
        let (seed, group) = (self.fresh(), group_id(&self.record().id(), self.session()));
        let identity = self.devices[who].identity.clone();
        let policy = self.hub.policy_chain().tip().bytes().clone();
        let (member, info) = Member::found(identity, SUITE, group, &policy, self.now, seed).unwrap();
        let content = wire::Commit {
            change: Some(wire::commit::Change::Founding(info.into())),
            welcome_hash: Bytes::new(),
        };
        // It is a member when its founding is in the log.
        self.devices[who].member = Some(member);
        let done = self.submit(who, Kind::Commit, content.encode_to_vec());
        match &done {
            Ok(receipt) => self.devices[who].at = receipt.sequence,
            Err(_) => self.devices[who].member = None,
        }
        done
    }

    pub(crate) fn draft(
        &mut self,
        who: usize,
        mut plan: CommitPlan,
        annotations: &Annotations,
    ) -> CommitDraft {
        plan.annotations = annotations.encode();
        self.devices[who].pending = true;
        self.devices[who].member.as_mut().unwrap().commit(plan).unwrap()
    }

    pub(crate) fn commit_content(handshake: Vec<u8>, welcome: Option<&Vec<u8>>) -> Vec<u8> {
        wire::Commit {
            change: Some(wire::commit::Change::Handshake(handshake.into())),
            welcome_hash: welcome.map(|welcome| Sha256::digest(welcome).to_vec().into()).unwrap_or_default(),
        }
        .encode_to_vec()
    }

    /// Makes a commit and hands it in; a refused one is dropped.
    pub(crate) fn commit(
        &mut self,
        who: usize,
        plan: CommitPlan,
        annotations: &Annotations,
    ) -> Result<Receipt, Error> {
        let draft = self.draft(who, plan, annotations);
        let content = Self::commit_content(draft.handshake, draft.welcome.as_ref());
        let signed = self.signed(who, Kind::Commit, content);
        let from = self.devices[who].uri().domain().clone();
        let done = self.hand_in(&from, signed, draft.welcome.unwrap_or_default());
        if done.is_err() {
            self.devices[who].pending = false;
            self.devices[who].member.as_mut().unwrap().drop_own().unwrap();
        }
        done
    }

    /// A change of policy by commit, with these leaves removed.
    pub(crate) fn change_by_commit(
        &mut self,
        committer: usize,
        signer: usize,
        removes: Vec<LeafIndex>,
        change: impl FnOnce(&mut Rules),
    ) -> Result<Receipt, Error> {
        let policy = self.next_policy(change);
        let statement = sign_change(self.record().id(), &policy, &self.devices[signer].identity, self.now);
        let annotations = Annotations { policy: Some(statement), ..Annotations::default() };
        let plan = CommitPlan { removes, policy: Some(policy.bytes().to_vec()), ..CommitPlan::default() };
        self.commit(committer, plan, &annotations)
    }

    pub(crate) fn next_policy(&self, change: impl FnOnce(&mut Rules)) -> Policy {
        let chain = self.hub.policy_chain();
        let mut rules = chain.tip().rules().clone();
        change(&mut rules);
        chain.tip().next(&rules).unwrap()
    }

    pub(crate) fn leaf(&self, who: usize) -> LeafIndex {
        self.room().member(&self.devices[who].uri()).unwrap().leaf
    }

    pub(crate) fn leave(&mut self, who: usize) -> Receipt {
        let content = wire::Leave { leaf_index: self.leaf(who).0 }.encode_to_vec();
        self.submit(who, Kind::Leave, content).unwrap()
    }

    pub(crate) fn say(&mut self, who: usize, text: &[u8]) -> Result<Receipt, Error> {
        let sealed = self.devices[who].member.as_mut().unwrap().seal(text).unwrap();
        self.submit(who, Kind::Message, sealed)
    }

    pub(crate) fn judge(
        &mut self,
        who: usize,
        commit: Sequence,
        epoch: Epoch,
        accepted: bool,
    ) -> Result<Receipt, Error> {
        let member = self.devices[who].member.as_ref().unwrap();
        let tag = if accepted { member.confirmation_tag().unwrap() } else { Vec::new() };
        let confirm = wire::Confirm {
            group_id: Bytes::copy_from_slice(self.room().group().as_bytes()),
            epoch: epoch.0,
            accepted,
            confirmation_tag: tag.into(),
            commit_sequence: commit.0,
        };
        self.submit(who, Kind::Confirm, confirm.encode_to_vec())
    }

    // Carrying.

    /// Carries every output of both servers, and lets the devices take what is new.
    pub(crate) fn carry(&mut self) {
        while let Some(output) = self.hub.poll() {
            match output {
                Output::SessionOpened { session, policy_chain } => {
                    self.opened = Some((session, policy_chain.clone()));
                    self.changes.clear();
                    self.entries.clear();
                    self.mirrored.clear();
                    let chain = PolicyChain::verify(
                        self.record(),
                        &policy_chain,
                        conclave_core::meeting::Trust::Verify(&self.pins),
                        self.now,
                    )
                    .unwrap();
                    let follower = Follower::new(self.record().clone(), chain, session, signer(&self.south));
                    self.follower = Some(follower);
                }
                Output::Append { entries, head, effects, .. } => {
                    self.entries.extend(entries.iter().cloned());
                    self.effects.extend(effects);
                    let entries = entries.iter().map(Entry::to_wire).collect();
                    self.mirror(entries, head);
                }
                Output::PolicyStored { statement, .. } => self.changes.push(statement),
                Output::Reply { ticket, receipt } => {
                    self.replies.insert(ticket, receipt);
                }
                Output::Ask { device, ask, .. } => self.asks.push((device, ask)),
                Output::RefusedAttempt { domain, times, .. } => self.refusals.push((domain, times)),
            }
        }
        self.deliver();
    }

    fn mirror(&mut self, entries: Vec<wire::Entry>, head: wire::ServerSigned) {
        let follower = self.follower.as_mut().unwrap();
        let input = follower::Input::Entries { entries, head };
        follower.handle(self.now, &self.pins, &input).unwrap();
        let mut acknowledged = false;
        while let Some(output) = follower.poll() {
            match output {
                follower::Output::Append { entries, effects, .. } => {
                    self.mirrored.extend(entries);
                    self.follower_effects.extend(effects);
                }
                follower::Output::Acknowledge(_) => acknowledged = true,
                follower::Output::Evidence { .. } => panic!("an honest hub has one history"),
            }
        }
        assert!(acknowledged);
    }

    fn deliver(&mut self) {
        for who in 0..self.devices.len() {
            self.deliver_to(who);
        }
    }

    fn deliver_to(&mut self, who: usize) {
        if self.devices[who].member.is_none() {
            self.try_to_enter(who);
        }
        let from = self.devices[who].at;
        let entries: Vec<_> = self.entries.iter().filter(|entry| entry.sequence() > from).cloned().collect();
        for entry in entries {
            let device = &mut self.devices[who];
            let Some(member) = &mut device.member else { return };
            device.at = entry.sequence();
            let kind = entry.header().kind;
            if kind == Kind::Void {
                let void = wire::Void::decode(entry.content().clone()).unwrap();
                let place = device.before.iter().position(|(commit, _)| commit.0 >= void.commit_sequence);
                if let Some(place) = place {
                    member.restore(&device.before[place].1).unwrap();
                    device.before.truncate(place);
                }
                continue;
            }
            let Ok(signed) = wire::Signed::decode(entry.content().clone()) else { continue };
            let Ok(submission) = Submission::read(&signed) else { continue };
            match kind {
                Kind::Message => {
                    let opened = member.open(&submission.content);
                    if let Ok(conclave_core::group::member::Opened::Message { plaintext, .. }) = opened {
                        device.heard.push(plaintext);
                    }
                }
                Kind::Commit => {
                    let commit = wire::Commit::decode(submission.content.clone()).unwrap();
                    let Some(wire::commit::Change::Handshake(handshake)) = commit.change else { continue };
                    let own = submission.device == device.uri();
                    if own && !device.pending {
                        continue;
                    }
                    device.before.push((entry.sequence(), device.member.as_ref().unwrap().snapshot()));
                    let member = device.member.as_mut().unwrap();
                    if own {
                        device.pending = false;
                        member.merge_own().unwrap();
                    } else {
                        let Ok((staged, _)) = member.stage(&handshake) else { continue };
                        member.merge(staged).unwrap();
                    }
                    if !device.member.as_ref().unwrap().is_active() {
                        device.member = None;
                    }
                }
                _ => {}
            }
        }
    }

    fn try_to_enter(&mut self, who: usize) {
        let uri = self.devices[who].uri();
        let Some(joiner) = self.devices[who].joiner.as_ref() else { return };
        let Some(room) = self.hub.room() else { return };
        let Standing::Entered(sequence) = room.standing(&uri, &joiner.key_package_ref(), self.now) else {
            return;
        };
        let entry = self.entries.iter().find(|entry| entry.sequence() == sequence).unwrap();
        let epoch = Epoch(entry.header().epoch.0 + 1);
        let Some(tree) = room.tree_at(epoch).cloned() else { return };
        let joiner = self.devices[who].joiner.as_mut().unwrap();
        let Ok(member) = joiner.enter(entry.attachment(), &tree) else { return };
        self.devices[who].member = Some(member);
        self.devices[who].at = sequence;
    }

    // What must always hold.

    /// Hub, follower and every member agree.
    pub(crate) fn assert_agreement(&self) {
        let (hub, follower) = (self.room(), self.follower.as_ref().unwrap().room());
        assert_eq!(self.entries, self.mirrored);
        assert_eq!(self.effects, self.follower_effects);
        assert_eq!(hub.tip(), follower.tip());
        assert_eq!(hub.epoch(), follower.epoch());
        let (here, there): (Vec<_>, Vec<_>) = (hub.members().collect(), follower.members().collect());
        assert_eq!(here, there);
        let members = self.devices.iter().filter_map(|device| device.member.as_ref());
        let authenticators: Vec<_> = members.clone().map(Member::epoch_authenticator).collect();
        assert!(authenticators.windows(2).all(|pair| pair[0] == pair[1]), "one view of the epoch");
        for member in members {
            assert_eq!(member.epoch(), hub.epoch());
            assert_eq!(member.policy().unwrap(), hub.policy().bytes().as_ref());
        }
    }

    /// The hub is killed, and comes back from what it stored.
    pub(crate) fn restart_hub(&mut self) {
        let stored = Stored {
            record: Record::clone(self.record()),
            session: self.opened.clone().map(|(session, chain)| (session, chain, self.entries.clone())),
            changes: self.changes.clone(),
        };
        self.hub = Hub::restore(stored, signer(&self.north), self.now).unwrap();
        self.asks.clear();
        self.tick();
    }
}
