//! What goes into the hub machine and what comes out.

use std::collections::BTreeSet;

use conclave_proto::types::v1::{DeviceSigned, ServerSigned, Signed};
use prost::bytes::Bytes;

use crate::{
    identity::address::{DeviceUri, Domain},
    ids::{Epoch, Sequence, SessionNumber},
    meeting::{aside::Aside, log::Entry, room::Effect},
    time::Time,
};

/// The driver's name for a request, given back with its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A device's submission came in.
    Submit {
        /// For the reply.
        ticket: Ticket,
        /// The domain that handed it in: the caller's, proved by its pin, or the own one.
        from: Domain,
        /// As the device signed it.
        submission: Signed,
        /// With a commit that adds: the Welcome.
        attachment: Bytes,
    },
    /// A domain takes out its own user or device.
    Withdraw {
        /// For the reply.
        ticket: Ticket,
        /// The domain that handed it in.
        from: Domain,
        /// As that domain signed it.
        withdraw: ServerSigned,
    },
    /// A domain says whether its own device can be reached.
    Attend {
        /// For the reply.
        ticket: Ticket,
        /// The domain that handed it in.
        from: Domain,
        /// As that domain signed it.
        attendance: ServerSigned,
    },
    /// The policy is to change while no session runs.
    ChangePolicy {
        /// For the reply.
        ticket: Ticket,
        /// The domain that handed it in.
        from: Domain,
        /// As the entitled device signed it.
        statement: DeviceSigned,
    },
    /// The other domains whose servers mirror the session now, whenever that changed.
    Followers(BTreeSet<Domain>),
    /// Time has passed.
    Tick,
}

/// Where something stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its place; 0 for what is not logged.
    pub sequence: Sequence,
    /// The hub's time.
    pub time: Time,
}

/// What is to be done, in order. A refused input gives no [`Reply`](Self::Reply): its error is `handle`'s result.
#[derive(Clone, Debug)]
pub enum Output {
    /// A new session starts: store its number and this chain durably in place of the last session's, and forget the
    /// changes of [`PolicyStored`](Self::PolicyStored) before it.
    SessionOpened {
        /// Its number.
        session: SessionNumber,
        /// Every change of policy up to now.
        policy_chain: Vec<DeviceSigned>,
    },
    /// Store these entries durably; then send them to the followers and the own devices; then act on the effects.
    Append {
        /// The session.
        session: SessionNumber,
        /// In order, at most a batch.
        entries: Vec<Entry>,
        /// Signs the last of them.
        head: ServerSigned,
        /// What they changed.
        effects: Vec<Effect>,
    },
    /// Store this change of policy durably, after the ones since the last session.
    PolicyStored {
        /// The version that it makes.
        version: u64,
        /// The statement.
        statement: DeviceSigned,
    },
    /// Answer the request.
    Reply {
        /// Which.
        ticket: Ticket,
        /// Where it stands.
        receipt: Receipt,
    },
    /// Ask one device to commit or to found, through its own server.
    Ask {
        /// The session.
        session: SessionNumber,
        /// Which device.
        device: DeviceUri,
        /// What for.
        ask: Ask,
    },
    /// Tell the members something that is not in the log; nothing of it is stored.
    Aside {
        /// The session.
        session: SessionNumber,
        /// What.
        aside: Aside,
    },
    /// Tell the members that somebody was refused at the door.
    RefusedAttempt {
        /// The session.
        session: SessionNumber,
        /// Which domain asked.
        domain: Domain,
        /// How often since the last notice.
        times: u32,
    },
}

/// What the hub asks a device to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The epoch to commit in.
    pub epoch: Epoch,
    /// Joins to add, in order.
    pub joins: Vec<Sequence>,
    /// Leaves and Withdraws to answer, in order.
    pub removes: Vec<Sequence>,
    /// Whether the device shall found the session; then nothing else is asked.
    pub found: bool,
}

/// The session that runs or would be next, as a look-up tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Its number.
    pub number: SessionNumber,
    /// Whether it runs: somebody is present.
    pub running: bool,
    /// The version of the policy with which it began or would begin.
    pub policy_version: u64,
}
