//! What simulated home servers say to each other.

use conclave_core::{
    identity::address::DeviceUri,
    ids::{MeetingId, Sequence, SessionNumber},
    meeting::{aside::Aside, hub::Ask},
};
use conclave_proto::{
    client::v1 as api,
    types::v1::{DeviceSigned, Entry, SealedInvitation, ServerSigned, Signed},
};
use prost::bytes::Bytes;

use conclave_core::device::io::ApiError;

/// One message between servers.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// A unary call.
    Request { id: u64, request: Request },
    /// Its answer.
    Response { id: u64, result: Result<Answer, ApiError> },
    /// Opens a mirror stream.
    Follow { stream: u64, meeting: MeetingId, session: SessionNumber, next: Sequence },
    /// The hub's items on it.
    Mirror { stream: u64, item: MirrorItem },
    /// The follower's word that entries are durable.
    Acknowledge { stream: u64, acknowledgement: ServerSigned },
    /// The stream is over; broken, or ended by the hub.
    MirrorEnded { stream: u64, broken: bool },
}

/// A unary call between servers.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    LookUpMeeting(MeetingId),
    LookUpUser(String),
    Submit { meeting: MeetingId, submission: Signed, attachment: Bytes },
    Withdraw { meeting: MeetingId, withdraw: ServerSigned },
    Attend { meeting: MeetingId, attendance: ServerSigned },
    ChangePolicy { meeting: MeetingId, statement: DeviceSigned },
    Invite(Box<SealedInvitation>),
}

/// Its answer.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Meeting(api::LookUpMeetingResponse),
    User(api::LookUpUserResponse),
    Logged { sequence: u64, time_ms: u64 },
    Done,
}

/// What a hub tells a follower.
#[derive(Clone, Debug)]
pub(crate) enum MirrorItem {
    Batch { entries: Vec<Entry>, head: ServerSigned },
    Ask { device: DeviceUri, ask: Ask },
    RefusedAttempt(api::RefusedAttempt),
    Aside(Aside),
}
