//! One session as this device lives through it: entering, following the log, changing the group, going.
//!
//! ```text
//!   LookingUp ──record──▶ Asking ──ENTERED──▶ Fetching ──tree──▶ Inside
//!                           └──── FOUND: the own founding commit ────▲
//! ```

mod attendance;
mod change;
mod commands;
mod commit;
mod confirm;
mod enter;
mod follow;
mod message;
mod readmission;
mod reject;
mod signals;
mod submit;
mod tell;
mod typing;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use conclave_proto::{client::v1 as api, types::v1 as types};
use prost::bytes::{Bytes, BytesMut};

use self::{
    attendance::Away,
    change::{Committing, Wanted},
    confirm::Unconfirmed,
    message::Outgoing,
    reject::Rejected,
    signals::Hands,
    submit::Unsent,
    typing::Typing,
    view::MemberView,
};
use super::{command::RequestId, io::StreamId};
use crate::{
    group::{Joiner, Member, RosterLeaf},
    identity::address::{DeviceUri, UserAddress},
    identity::keys::PublicKey,
    ids::{KeyPackageRef, LeafIndex, Sequence, SessionNumber, SubmissionId},
    meeting::{link::LinkSecret, log::Tip, policy::PolicyChain, record::Record},
    time::Time,
};

/// How long to wait before the first retry; doubled up to [`RETRY_MOST`].
const RETRY_FIRST: Duration = Duration::from_millis(200);
/// How long to wait between retries at most.
const RETRY_MOST: Duration = Duration::from_secs(2);
/// How long to wait before asking again whether a host has come.
const KNOCK_AGAIN: Duration = Duration::from_secs(3);

/// A session that this device is in, or about to enter.
pub(super) struct Call {
    /// The join command that waits for its end.
    pub(super) request: Option<RequestId>,
    /// The link secret, if the device has one.
    pub(super) link_secret: Option<LinkSecret>,
    /// The address token, if the device has one.
    pub(super) token: Option<types::DeviceSigned>,
    /// Whether the person knows that no host is there.
    waits_outside: bool,
    /// How far it is.
    pub(super) stage: Stage,
    /// Items of the Watch stream that are not taken in yet, in order.
    inbox: VecDeque<api::WatchResponse>,
    /// The Watch stream.
    watch: Option<StreamId>,
    /// Whether the person knows that the server is out of reach.
    cut_off: bool,
    /// When to try again what failed for want of a connection, and how long to wait then.
    retry: Option<Time>,
    patience: Duration,
    /// Submissions that are not answered yet.
    unsent: BTreeMap<SubmissionId, Unsent>,
}

/// How far the device is.
pub(super) enum Stage {
    /// Asks for the record and the policies.
    LookingUp,
    /// Has asked to enter.
    Asking(Box<Asking>),
    /// Fetches the ratchet tree to open the Welcome.
    Fetching(Box<Fetching>),
    /// Is a member.
    Inside(Box<Inside>),
    /// Is out; only what ends it is still told.
    Over,
}

/// What every stage after the look-up knows.
pub(super) struct Known {
    pub(super) record: Record,
    /// The policies when it was looked up; a member's view goes on from there.
    pub(super) chain: PolicyChain,
    pub(super) session: SessionNumber,
}

/// The device has asked to enter.
pub(super) struct Asking {
    pub(super) known: Known,
    pub(super) joiner: Option<Joiner>,
    pub(super) key_package_ref: KeyPackageRef,
    /// A group that this device founded and that is not in the log yet.
    pub(super) founding: Option<(SubmissionId, Member)>,
    /// When the Join is too old and a new one is due.
    pub(super) expires: Time,
}

/// The device fetches the ratchet tree.
pub(super) struct Fetching {
    pub(super) known: Known,
    pub(super) joiner: Joiner,
    pub(super) entered: api::Standing,
    pub(super) tree: BytesMut,
    pub(super) complete: bool,
    /// From the Welcome; its members are not all verified yet.
    pub(super) member: Option<Member>,
}

/// The device is a member.
pub(super) struct Inside {
    pub(super) known: Known,
    pub(super) member: Member,
    /// What this member knows of the log.
    pub(super) view: MemberView,
    pub(super) tip: Tip,
    pub(super) unconfirmed: Unconfirmed,
    pub(super) committing: Option<Committing>,
    pub(super) wanted: VecDeque<Wanted>,
    pub(super) outgoing: Outgoing,
    /// Who waits for a host.
    pub(super) waiting: BTreeMap<DeviceUri, KeyPackageRef>,
    /// What this device publishes.
    pub(super) tracks: Vec<types::Track>,
    /// Whose hands are up.
    pub(super) hands: Hands,
    /// Whom this device let in, until they have their tokens.
    pub(super) let_in: BTreeSet<UserAddress>,
    /// A token that came and is not kept yet.
    pub(super) token: Option<types::DeviceSigned>,
    /// Lines that are being typed.
    pub(super) typing: Typing,
    /// Who cannot be reached.
    pub(super) away: Away,
    /// The entry by which this device came.
    pub(super) entered: Sequence,
    /// Messages that were told already.
    pub(super) seen: BTreeSet<(DeviceUri, Bytes)>,
    /// The commit that this member rejected, while it waits for the hub to take it back.
    pub(super) rejected: Option<Rejected>,
}

impl Inside {
    fn new(known: Known, member: Member, view: MemberView, tip: Tip) -> Self {
        Self {
            known,
            member,
            view,
            tip,
            unconfirmed: Unconfirmed::default(),
            committing: None,
            wanted: VecDeque::new(),
            outgoing: Outgoing::default(),
            waiting: BTreeMap::new(),
            tracks: Vec::new(),
            hands: Hands::default(),
            let_in: BTreeSet::new(),
            token: None,
            typing: Typing::default(),
            away: Away::default(),
            entered: tip.sequence,
            seen: BTreeSet::new(),
            rejected: None,
        }
    }

    /// The key of the link in force.
    pub(super) fn link_key(&self) -> Option<PublicKey> {
        self.view.chain.tip().rules().link_key
    }

    fn device_of(&self, leaf: LeafIndex) -> Option<&DeviceUri> {
        self.member.roster().iter().find(|member| member.leaf == leaf).map(RosterLeaf::device)
    }

    fn leaf_of(&self, device: &DeviceUri) -> Option<LeafIndex> {
        self.member.roster().iter().find(|leaf| leaf.device() == device).map(|leaf| leaf.leaf)
    }
}

impl Call {
    pub(super) fn new(request: RequestId) -> Self {
        Self {
            request: Some(request),
            link_secret: None,
            token: None,
            waits_outside: false,
            stage: Stage::LookingUp,
            inbox: VecDeque::new(),
            watch: None,
            cut_off: false,
            retry: None,
            patience: RETRY_FIRST,
            unsent: BTreeMap::new(),
        }
    }

    /// When to come back.
    pub(super) fn deadline(&self) -> Option<Time> {
        let confirm = match &self.stage {
            Stage::Inside(inside) => {
                let own = [inside.unconfirmed.deadline(), inside.typing.deadline(), inside.away.deadline()];
                own.into_iter().flatten().min()
            }
            Stage::Asking(asking) => Some(asking.expires),
            _ => None,
        };
        self.retry.into_iter().chain(confirm).min()
    }

    fn is_rejecting(&self, commit: Sequence) -> bool {
        self.unsent.values().any(|unsent| unsent.rejects(commit))
    }

    pub(super) fn inside(&mut self) -> Option<&mut Inside> {
        match &mut self.stage {
            Stage::Inside(inside) => Some(inside),
            _ => None,
        }
    }

    /// Notes that something failed for want of a connection (spec: DEV-13).
    fn back_off(&mut self, now: Time) {
        self.retry.get_or_insert(now + self.patience);
        self.patience = (self.patience * 2).min(RETRY_MOST);
    }

    fn connected(&mut self) {
        self.patience = RETRY_FIRST;
    }
}

/// The sequence from which a member that entered with `sequence` follows on.
fn after(sequence: Sequence) -> Sequence {
    Sequence(sequence.0.saturating_add(1))
}

/// Bytes of an id, to be sent.
fn id_bytes(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
