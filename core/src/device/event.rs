//! What the device tells a person, or a script.

use std::sync::Arc;

use conclave_proto::{client::v1 as client, types::v1 as types};
use zeroize::Zeroizing;

use super::command::{MeetingAddress, RequestId};
use crate::{
    group::Suite,
    identity::address::{DeviceUri, Domain, UserAddress},
    ids::{Epoch, LeafIndex, Sequence},
    media::frame::EpochKeys,
    meeting::{
        link::Link,
        policy::{Policy, Role},
    },
    time::Time,
};

/// Something a person should know.
#[derive(Debug)]
pub enum Event {
    /// A command came to its end.
    Done {
        /// Which.
        request: RequestId,
        /// How.
        result: Result<Done, super::Error>,
    },
    /// The home server knows this device's session no longer.
    SignedOut,
    /// An invitation came.
    Invited(Invited),
    /// An own invitation could not be delivered.
    Bounced {
        /// Whom it was for.
        recipient: String,
        /// Why.
        reason: String,
    },
    /// Something happened in a meeting.
    Call {
        /// Where.
        meeting: MeetingAddress,
        /// What.
        event: CallEvent,
    },
}

/// What a command gave.
#[derive(Debug)]
pub enum Done {
    /// Nothing to add.
    Plain,
    /// Signed in as this device.
    SignedIn(DeviceUri),
    /// How many sessions ended.
    SignedOut(u32),
    /// The devices.
    Devices(Vec<client::DeviceInfo>),
    /// The new meeting; the link only if a link admits.
    Created {
        /// Where it is.
        meeting: MeetingAddress,
        /// What to pass on.
        link: Option<Link>,
    },
    /// The meetings.
    Meetings(Vec<Meeting>),
    /// A link to pass on; without secret where no link admits: then an invitation or an open domain must.
    Link(Link),
    /// What a meeting is, seen from outside.
    Looked(Box<Looked>),
    /// How many devices an invitation was sent to.
    Invited {
        /// Devices.
        devices: usize,
        /// Addresses for which no device is known.
        unreachable: Vec<UserAddress>,
    },
}

/// One of the user's meetings.
#[derive(Debug, Clone)]
pub struct Meeting {
    /// Where it is.
    pub address: MeetingAddress,
    /// The title, if this device knows the link secret.
    pub title: Option<String>,
    /// Planned start, Unix milliseconds; 0 if none, or not known here.
    pub starts_ms: u64,
    /// Planned length, seconds; 0 if none, or not known here.
    pub length_s: u32,
    /// The link, if a link admits and this device knows it.
    pub link: Option<Link>,
    /// Devices in the room now.
    pub present: u32,
    /// Over for good.
    pub ended: bool,
    /// The invitation to it, if this device was invited and has not been in it.
    pub invited: Option<OpenInvitation>,
}

/// An invitation that was not answered by entering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenInvitation {
    /// Who invites.
    pub by: UserAddress,
    /// Whether the person wants to be asked no more.
    pub dismissed: bool,
}

/// What a meeting is, seen from outside; record and policy are verified on this device.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools)] // Each is an independent switch of the policy.
pub struct Looked {
    /// Where it is.
    pub meeting: MeetingAddress,
    /// The title, if this device knows the link secret or was invited.
    pub title: Option<String>,
    /// Planned start, Unix milliseconds; 0 if none or not known.
    pub starts_ms: u64,
    /// Planned length, seconds; 0 if none or not known.
    pub length_s: u32,
    /// Who made it.
    pub creator: UserAddress,
    /// The suite in force.
    pub suite: Suite,
    /// Who hosts it.
    pub hosts: Vec<UserAddress>,
    /// The hub, and the organisations with devices inside as far as this person may know, each with its jurisdiction; none where
    /// its descriptor could not be had.
    pub organisations: Vec<(Domain, Option<String>)>,
    /// How many devices are inside, if this person may know.
    pub present: Option<u32>,
    /// Whether a session runs.
    pub running: bool,
    /// Whether those without an address token wait.
    pub lobby: bool,
    /// Whether nobody new gets in.
    pub locked: bool,
    /// Whether it is over for good.
    pub ended: bool,
    /// Whether guests may come.
    pub guests_allowed: bool,
}

/// An invitation, opened and verified.
#[derive(Debug, Clone)]
pub struct Invited {
    /// Where to.
    pub meeting: MeetingAddress,
    /// Who invites.
    pub inviter: UserAddress,
    /// The title.
    pub title: String,
    /// Planned start, Unix milliseconds; 0 if none.
    pub starts_ms: u64,
    /// Planned length, seconds; 0 if none.
    pub length_s: u32,
    /// The link to the invitee's own server.
    pub link: Link,
    /// When it ends.
    pub expires: Time,
}

/// Something that happened in a session.
#[derive(Debug)]
pub enum CallEvent {
    /// How the own Join stands.
    Standing(Standing),
    /// The own device is in; the first roster follows.
    Entered {
        /// The number of the session.
        session: crate::ids::SessionNumber,
        /// The suite in force.
        suite: Suite,
    },
    /// Who is in the room, after every change.
    Roster(Roster),
    /// Somebody waits for a host.
    Waiting(DeviceUri),
    /// Somebody waits no longer.
    WaitingEnded(DeviceUri),
    /// Somebody said something.
    Chat {
        /// Who.
        from: DeviceUri,
        /// What.
        text: String,
        /// The author's id of it.
        message_id: [u8; 16],
        /// The hub's time.
        time: Time,
        /// Its place in the log.
        sequence: Sequence,
    },
    /// The rules changed.
    Policy {
        /// As they are now.
        policy: Arc<Policy>,
        /// The link that admits by them, if this device knows it.
        link: Option<Link>,
    },
    /// What somebody publishes now.
    Tracks {
        /// Who.
        device: DeviceUri,
        /// All of their tracks.
        tracks: Vec<types::Track>,
    },
    /// A hand went up or down.
    Hand {
        /// Whose.
        device: DeviceUri,
        /// Where it stands among the hands that are up, the lowest first; none: it is down.
        raised: Option<Sequence>,
    },
    /// Somebody reacts.
    Reaction {
        /// Who.
        device: DeviceUri,
        /// How.
        reaction: types::Reaction,
    },
    /// Somebody types a line: as it is now, or as it stands for good.
    Typing {
        /// Who.
        device: DeviceUri,
        /// Which of their lines.
        line: u64,
        /// The whole line.
        text: String,
        /// Whether it is finished.
        done: bool,
        /// When.
        time: Time,
    },
    /// Somebody's own server has no stream to their device, or has again.
    Away {
        /// Whose.
        device: DeviceUri,
        /// Whether it cannot be reached.
        away: bool,
    },
    /// This device is to mute its microphone at once; its person can turn it on again.
    MutedBy(DeviceUri),
    /// New keys for frames.
    Keys(MediaKeys),
    /// Somebody was refused at the door.
    RefusedAttempt {
        /// The home domain that asked.
        domain: Domain,
        /// How often since the last notice.
        times: u32,
    },
    /// The hub took a change back.
    Voided {
        /// Who made it.
        by: DeviceUri,
    },
    /// The own server is out of reach, or back.
    Connected(bool),
    /// Something is wrong that the person should know of.
    Alarm(super::Error),
    /// The own device is out.
    Over(Over),
}

/// How a Join stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The hub has it.
    Asked,
    /// A host must decide.
    Waiting,
}

/// Why a call is over.
#[derive(Debug, Clone, PartialEq)]
pub enum Over {
    /// The own device left.
    Left,
    /// A host removed it.
    Removed,
    /// A host turned it away.
    Denied,
    /// The meeting was ended for all.
    Ended,
    /// It could not enter, or not stay.
    Refused(super::Error),
}

/// Who is in the room.
#[derive(Debug, Clone)]
pub struct Roster {
    /// The epoch.
    pub epoch: Epoch,
    /// Everyone, by leaf.
    pub members: Vec<Member>,
    /// Six groups of digits to compare aloud, the same for all members (spec: DEV-09).
    pub verification_code: String,
}

/// One device in the room.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its leaf.
    pub leaf: LeafIndex,
    /// Which device.
    pub device: DeviceUri,
    /// What it calls itself, as its organisation certified it.
    pub display_name: String,
    /// Its role by the policy.
    pub role: Role,
    /// How sure this device is of it.
    pub verification: Verification,
    /// Whether it is this device.
    pub is_self: bool,
}

/// How sure the own device is of a member's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// Certified by its organisation, whose root key is pinned here.
    Certified,
    /// As above, but the certificate has run out since it entered.
    Expired,
}

/// What the frame worker needs after every change of the group.
#[derive(Debug)]
pub struct MediaKeys {
    /// Keys and leaves of the epoch.
    pub keys: EpochKeys,
    /// True if somebody was removed: leave the old key at once.
    pub at_once: bool,
    /// The leaves that are gone.
    pub removed: Vec<LeafIndex>,
}

/// Bytes that must not be logged.
pub type Secret = Zeroizing<Vec<u8>>;
