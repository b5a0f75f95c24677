//! Who asked to enter or to go, and was not answered yet: what commits may refer to.
//!
//! Servers keep it as part of a [`Room`](super::room::Room); a member keeps its own, so that it refuses what its server should have.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use conclave_proto::types::v1 as wire;

use super::{
    Error,
    admission::{Admission, By, JoinView, SharedView, admit},
    log::Kind,
    policy::Policy,
    record::Record,
    room::Effect,
    submission::{self, Admit, Submission},
    trust::Trust,
};
use crate::{
    group::key_package,
    identity::{address::DeviceUri, certificate::Chain, keys::PublicKey, signed::Label},
    ids::{KeyPackageRef, LeafIndex, Sequence},
    limits,
    time::Time,
};

/// A Join that waits for its commit.
#[derive(Clone, Debug)]
pub struct OpenJoin {
    /// What it says.
    pub view: SharedView,
    /// The KeyPackage as it came, for the commit.
    pub key_package: prost::bytes::Bytes,
    /// Its certificates.
    pub chain: Chain,
    /// The key that it signs with.
    pub key: PublicKey,
    /// What admits it.
    pub admission: Admission,
    /// The Admit that let it in, and when that ends.
    pub admitted: Option<(Sequence, Time)>,
    /// When it was logged.
    pub logged: Time,
}

impl OpenJoin {
    /// Whether a commit may add it now.
    pub fn may_enter(&self, now: Time) -> bool {
        now <= self.view.expires && !self.waits(now)
    }

    /// Whether a host must let it in yet.
    pub fn waits(&self, now: Time) -> bool {
        self.admission.must_wait && self.admitted.is_none_or(|(_, expires)| now > expires)
    }

    /// Whose Join.
    pub fn device(&self) -> &DeviceUri {
        &self.view.device
    }

    fn open_effect(&self, sequence: Sequence, now: Time) -> Effect {
        let (device, key_package_ref) = (self.view.device.clone(), self.view.key_package_ref);
        if self.waits(now) {
            Effect::Waiting { device, key_package_ref, sequence }
        } else {
            Effect::JoinOpen { device, key_package_ref, sequence }
        }
    }

    fn lapsed(&self) -> Effect {
        Effect::JoinLapsed { device: self.view.device.clone(), key_package_ref: self.view.key_package_ref }
    }
}

/// Verifies a Join: its KeyPackage, certificates, signature, times and evidence (spec: MTG-18).
///
/// `is_member` tells who is in the tree with which key; `logged` is the time of its entry.
pub fn read_join(
    record: &Record,
    submission: &Submission,
    signed: &wire::Signed,
    policy: &Policy,
    is_member: impl Fn(&DeviceUri, &PublicKey) -> bool,
    trust: Trust<'_>,
    logged: Time,
) -> Result<OpenJoin, Error> {
    let join: wire::Join = submission.decode()?;
    let summary = key_package::check(record.suite(), &join.key_package)?;
    if *summary.device() != submission.device {
        return Err(submission::Error::Malformed("KeyPackage: it is another device's").into());
    }
    trust.check_device(&summary.chain, logged)?;
    trust
        .check_signature(Label::Submission, signed, &summary.signature_key)
        .map_err(submission::Error::Signature)?;
    let expires = Time::from_ms(join.expires_ms);
    if expires > submission.time + limits::JOIN_LIFETIME || expires < logged {
        return Err(submission::Error::Time.into());
    }
    let view = JoinView {
        meeting: submission.meeting,
        session: submission.session,
        device: submission.device.clone(),
        key_package_ref: summary.key_package_ref,
        expires,
        evidence: join.evidence.and_then(|evidence| evidence.evidence),
        jurisdiction: trust.jurisdiction(submission.device.domain()),
    };
    let admission = admit(policy, &view, is_member(&view.device, &summary.signature_key), trust, logged)?;
    Ok(OpenJoin {
        view: Arc::new(view),
        key_package: join.key_package,
        chain: summary.chain,
        key: summary.signature_key,
        admission,
        admitted: None,
        logged,
    })
}

/// What became of a KeyPackage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its Join waits.
    Open(Sequence),
    /// It was added to the group.
    Added,
    /// A host turned it away.
    Denied,
    /// It was never answered, or its commit is void.
    Lapsed,
}

/// Members that said they go, or whose domain takes them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Which devices.
    pub devices: BTreeSet<DeviceUri>,
    /// Whether what they ask for at the door lapses with them.
    pub joins_lapse: bool,
}

/// Open Joins, Admits, Leaves and Withdraws, and who is barred.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    joins: BTreeMap<Sequence, OpenJoin>,
    fates: HashMap<KeyPackageRef, Fate>,
    departures: BTreeMap<Sequence, Departure>,
    departed: HashMap<DeviceUri, Sequence>,
    barred: BTreeSet<DeviceUri>,
}

impl Doors {
    /// The Join at a sequence, if it is open.
    pub fn join(&self, sequence: Sequence) -> Option<&OpenJoin> {
        self.joins.get(&sequence)
    }

    /// Open Joins in order.
    pub fn joins(&self) -> impl Iterator<Item = (Sequence, &OpenJoin)> {
        self.joins.iter().map(|(sequence, join)| (*sequence, join))
    }

    /// What became of a KeyPackage that was shown here.
    pub fn fate(&self, key_package_ref: &KeyPackageRef) -> Option<Fate> {
        self.fates.get(key_package_ref).copied()
    }

    /// Who goes by the Leave or Withdraw at a sequence.
    pub fn departure(&self, sequence: Sequence) -> Option<&Departure> {
        self.departures.get(&sequence)
    }

    /// When a device last said that it goes.
    pub fn departed(&self, device: &DeviceUri) -> Option<Sequence> {
        self.departed.get(device).copied()
    }

    /// Whether a device may not commit any more.
    pub fn is_barred(&self, device: &DeviceUri) -> bool {
        self.barred.contains(device)
    }

    /// Whether a Join may be logged: its KeyPackage is fresh, and there is room (spec: MTG-19, MTG-20).
    pub fn check_join(&self, join: &OpenJoin, now: Time) -> Result<(), Error> {
        if self.fates.contains_key(&join.view.key_package_ref) {
            return Err(DoorError::Replayed.into());
        }
        let others = self.joins.values().filter(|other| other.device() != join.device());
        let live = others.filter(|other| now <= other.view.expires).count();
        // Hosts get to their own door however many stand there.
        if live >= limits::WAITING && join.admission.by != By::Role {
            return Err(DoorError::Full.into());
        }
        Ok(())
    }

    /// A Join was logged; it takes the place of the device's earlier one.
    pub fn take_join(&mut self, sequence: Sequence, join: OpenJoin) -> Vec<Effect> {
        let mut effects = self.close(|other| {
            // Those that ran out are forgotten on the way, so that the list stays short.
            other.device() == join.device() || other.view.expires < join.logged
        });
        effects.push(join.open_effect(sequence, join.logged));
        self.fates.insert(join.view.key_package_ref, Fate::Open(sequence));
        self.joins.insert(sequence, join);
        effects
    }

    /// Whether an Admit decides on an open Join (spec: MTG-21).
    pub fn check_admit(&self, admit: &Admit, now: Time) -> Result<Sequence, Error> {
        let Some(Fate::Open(sequence)) = self.fate(&admit.key_package_ref) else {
            return Err(DoorError::NoSuchJoin.into());
        };
        let join = self.join(sequence).ok_or(DoorError::NoSuchJoin)?;
        if *join.device() != admit.device || join.view.expires < now {
            return Err(DoorError::NoSuchJoin.into());
        }
        if admit.expires < now || admit.expires > now + limits::JOIN_LIFETIME + limits::CLOCK_SKEW {
            return Err(submission::Error::Time.into());
        }
        Ok(sequence)
    }

    /// An Admit was logged.
    pub fn take_admit(&mut self, sequence: Sequence, of: Sequence, admit: &Admit, now: Time) -> Vec<Effect> {
        if admit.admitted {
            let Some(join) = self.joins.get_mut(&of) else { return Vec::new() };
            join.admitted = Some((sequence, admit.expires));
            return vec![join.open_effect(of, now)];
        }
        let Some(join) = self.joins.remove(&of) else { return Vec::new() };
        self.fates.insert(join.view.key_package_ref, Fate::Denied);
        vec![Effect::Denied { device: join.view.device.clone(), key_package_ref: join.view.key_package_ref }]
    }

    /// A Leave or Withdraw was logged.
    pub fn take_departure(&mut self, sequence: Sequence, departure: Departure) -> Vec<Effect> {
        let lapses = |join: &OpenJoin| departure.joins_lapse && departure.devices.contains(join.device());
        let effects = self.close(lapses);
        self.departed.extend(departure.devices.iter().map(|device| (device.clone(), sequence)));
        self.departures.insert(sequence, departure);
        effects
    }

    /// The session takes nobody in any more.
    pub fn take_over(&mut self) -> Vec<Effect> {
        self.close(|_| true)
    }

    /// Who waits at the door.
    pub fn asking(&self) -> impl Iterator<Item = &DeviceUri> {
        self.joins.values().map(OpenJoin::device)
    }

    /// A commit added these.
    pub fn take_added(&mut self, joins: &[Sequence]) -> Vec<OpenJoin> {
        let added: Vec<_> = joins.iter().filter_map(|sequence| self.joins.remove(sequence)).collect();
        for join in &added {
            self.fates.insert(join.view.key_package_ref, Fate::Added);
        }
        added
    }

    /// The commit that added it is void; its KeyPackage is spent.
    pub fn take_void(&mut self, key_package_ref: KeyPackageRef) {
        self.fates.insert(key_package_ref, Fate::Lapsed);
    }

    /// May not commit any more.
    pub fn bar(&mut self, device: DeviceUri) {
        self.barred.insert(device);
    }

    /// The policy or the tree changed: every open Join is judged again, by the evidence verified before (spec: MTG-22, MTG-35).
    pub fn judge_again(
        &mut self,
        policy: &Policy,
        is_member: impl Fn(&DeviceUri, &PublicKey) -> bool,
        now: Time,
    ) -> Vec<Effect> {
        let admit_again = |join: &OpenJoin| admit_again(policy, join, is_member(join.device(), &join.key));
        let mut effects = self.close(|join| admit_again(join).is_none());
        for (sequence, join) in &mut self.joins {
            let waited = join.waits(now);
            if let Some(admission) = admit_again(join) {
                join.admission = admission;
            }
            if join.waits(now) != waited {
                effects.push(join.open_effect(*sequence, now));
            }
        }
        effects
    }

    fn close(&mut self, which: impl Fn(&OpenJoin) -> bool) -> Vec<Effect> {
        let closed: Vec<_> = self.joins.extract_if(.., |_, join| which(join)).collect();
        for (_, join) in &closed {
            self.fates.insert(join.view.key_package_ref, Fate::Lapsed);
        }
        closed.iter().map(|(_, join)| join.lapsed()).collect()
    }

    /// The sequences of everything that a later commit may still answer, for those who enter later.
    pub fn open_sequences(&self, is_member: impl Fn(&DeviceUri) -> bool) -> Vec<Sequence> {
        let admits = self.joins.values().filter_map(|join| join.admitted.map(|(sequence, _)| sequence));
        let departures = self.departures.iter();
        let departures = departures
            .filter(|(_, departure)| departure.devices.iter().any(&is_member))
            .map(|(sequence, _)| *sequence);
        let mut all: Vec<_> = self.joins.keys().copied().chain(admits).chain(departures).collect();
        all.sort_unstable();
        all
    }
}

/// The evidence again under another policy. Signatures by the link are bound to the old key, so they are verified again by key.
fn admit_again(policy: &Policy, join: &OpenJoin, is_member: bool) -> Option<Admission> {
    let pins = crate::identity::pins::Pins::default();
    let by_link = matches!(join.view.evidence, Some(wire::evidence::Evidence::LinkSignature(_)));
    let trust = if by_link { Trust::Verify(&pins) } else { Trust::Stored };
    admit(policy, &join.view, is_member, trust, join.logged).ok()
}

/// Why something at the door is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DoorError {
    /// The KeyPackage was shown before.
    #[error("this KeyPackage was used before")]
    Replayed,
    /// Too many wait.
    #[error("too many devices are waiting")]
    Full,
    /// No such Join is open.
    #[error("no such device is waiting")]
    NoSuchJoin,
    /// The session does not run, and the device would have to wait in an empty room.
    #[error("nobody is here yet who could let this device in")]
    NobodyHere,
}

/// Whether a kind is one that the doors keep.
pub const fn is_kept(kind: Kind) -> bool {
    matches!(kind, Kind::Join | Kind::Admit | Kind::Leave | Kind::Withdraw)
}

/// A member, as the rules need to know it.
#[derive(Clone, Debug)]
pub struct Author {
    /// Where in the tree.
    pub leaf: LeafIndex,
    /// Whose device.
    pub device: DeviceUri,
    /// What it signs with.
    pub key: PublicKey,
}
