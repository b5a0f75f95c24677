//! What a person, or a script, asks of the device.

use conclave_proto::types::v1 as types;
use zeroize::Zeroizing;

use crate::{
    group::Suite,
    identity::address::{DeviceUri, Domain, UserAddress},
    ids::MeetingId,
    meeting::link::Link,
};

/// Names a command, so that its result can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A meeting and the server that orders it: `ID@HUB`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeetingAddress {
    /// The meeting.
    pub id: MeetingId,
    /// The hub's domain.
    pub hub: Domain,
}

/// What a new meeting is to be.
#[derive(Clone, Debug)]
pub struct NewMeeting {
    /// Its title; travels only sealed.
    pub title: String,
    /// Planned start, Unix milliseconds; 0 if none.
    pub starts_ms: u64,
    /// Planned length, seconds; 0 if none.
    pub length_s: u32,
    /// Whether those without an address token wait for a host.
    pub lobby: bool,
    /// Whether a link admits.
    pub link: bool,
    /// Whether organisations may let guests in.
    pub guests: bool,
    /// Domains whose users enter without further evidence.
    pub open_domains: Vec<Domain>,
    /// The cipher suite, fixed for good.
    pub suite: Suite,
}

/// By what a person enters.
#[derive(Clone, Debug)]
pub enum Door {
    /// A link with its secret.
    Link(Link),
    /// The address alone: for hosts, open domains and those who keep an invitation to it.
    Address(MeetingAddress),
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Trade a password for a session.
    SignIn {
        /// The name before the @.
        user: String,
        /// The password.
        password: Zeroizing<String>,
        /// What the person calls this device.
        label: String,
    },
    /// Come as a guest of the link's server, for this meeting alone.
    SignInGuest {
        /// The whole link, whose server is this device's.
        link: Link,
        /// What the guest is called.
        name: String,
    },
    /// End this device's session, another's, or all.
    SignOut {
        /// Which device; none: this one.
        device: Option<DeviceUri>,
        /// All devices of the user.
        everywhere: bool,
    },
    /// List the user's devices.
    ListDevices,
    /// Create a meeting at the own server.
    CreateMeeting(NewMeeting),
    /// List the user's meetings.
    ListMeetings,
    /// See what a meeting is, before asking to enter.
    Look(Door),
    /// Invite people: they get a token, and the link secret if a link admits.
    Invite {
        /// To which meeting.
        meeting: MeetingAddress,
        /// Whom.
        addresses: Vec<UserAddress>,
    },
    /// Give a link for somebody, to their own server.
    LinkFor {
        /// To which meeting.
        meeting: MeetingAddress,
        /// Whom.
        address: UserAddress,
    },
    /// Listen for invitations; `follow` keeps listening after those that wait.
    Receive {
        /// Whether to keep listening.
        follow: bool,
    },
    /// Ask no more about an invitation; the meeting stays in the list.
    Dismiss(MeetingAddress),
    /// Enter a meeting.
    Join(Door),
    /// Go.
    Leave(MeetingAddress),
    /// Say something.
    Chat {
        /// Where.
        meeting: MeetingAddress,
        /// What.
        text: String,
    },
    /// Let a waiting device in, or turn it away.
    Admit {
        /// Where.
        meeting: MeetingAddress,
        /// Whom.
        device: DeviceUri,
        /// In or away.
        admitted: bool,
    },
    /// Remove a person with all devices, and ban the address.
    Remove {
        /// Where.
        meeting: MeetingAddress,
        /// Whom.
        address: UserAddress,
    },
    /// Nobody new gets in, or again.
    Lock {
        /// Where.
        meeting: MeetingAddress,
        /// Shut or open.
        locked: bool,
    },
    /// Turn the lobby on or off.
    Lobby {
        /// Where.
        meeting: MeetingAddress,
        /// On or off.
        on: bool,
    },
    /// Make a person co-host, or no longer.
    SetCoHost {
        /// Where.
        meeting: MeetingAddress,
        /// Whom.
        address: UserAddress,
        /// Co-host or not.
        on: bool,
    },
    /// Raise the own hand, or take it down.
    RaiseHand {
        /// Where.
        meeting: MeetingAddress,
        /// Up or down.
        raised: bool,
    },
    /// Take somebody's hand down.
    LowerHand {
        /// Where.
        meeting: MeetingAddress,
        /// Whose.
        device: DeviceUri,
    },
    /// Show a reaction for a moment.
    React {
        /// Where.
        meeting: MeetingAddress,
        /// Which.
        reaction: types::Reaction,
    },
    /// Tell what is being typed, as it is typed, or that the line is finished.
    Type {
        /// Where.
        meeting: MeetingAddress,
        /// The number of the line, counting up.
        line: u64,
        /// The whole line as it is now.
        text: String,
        /// Whether it is finished.
        done: bool,
    },
    /// Ask a device to mute its microphone.
    AskMute {
        /// Where.
        meeting: MeetingAddress,
        /// Whose.
        device: DeviceUri,
    },
    /// End the meeting for good, for all.
    End(MeetingAddress),
    /// Tell the others which tracks this device sends now.
    Publish {
        /// Where.
        meeting: MeetingAddress,
        /// All tracks, replacing the earlier list.
        tracks: Vec<types::Track>,
    },
}
