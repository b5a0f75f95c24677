//! What a device keeps in its profile. All of it is secret; nothing of a session is ever among it (spec: DEV-01).

use conclave_proto::types::v1 as types;
use prost::bytes::Bytes;

use super::command::MeetingAddress;

/// Where the account lies.
pub(super) const ACCOUNT: &str = "account";
/// Where the pins lie.
pub(super) const PINS: &str = "pins";
/// Where the sealing keys lie.
pub(super) const SEALING: &str = "sealing";
/// Where it lies whose meetings are kept while nobody is signed in.
pub(super) const OWNER: &str = "owner";
/// What the places of meetings begin with.
pub(super) const MEETING: &str = "meeting/";

/// The signed-in device.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Account {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) seed: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(super) uri: String,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub(super) chain: Vec<Bytes>,
    #[prost(string, tag = "4")]
    pub(super) token: String,
    #[prost(uint64, tag = "5")]
    pub(super) not_before_ms: u64,
    #[prost(uint64, tag = "6")]
    pub(super) not_after_ms: u64,
    #[prost(uint64, tag = "7")]
    pub(super) expires_ms: u64,
    #[prost(bytes = "bytes", tag = "8")]
    pub(super) guest_meeting: Bytes,
    #[prost(string, tag = "9")]
    pub(super) guest_hub: String,
}

/// Where a meeting lies.
pub(super) fn meeting_place(meeting: &MeetingAddress) -> String {
    format!("{MEETING}{}@{}", meeting.id, meeting.hub)
}

/// The sealing keys, oldest first.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Sealings {
    #[prost(message, repeated, tag = "1")]
    pub(super) keys: Vec<Sealing>,
    /// When the certificates began with which the home server last had the newest key.
    #[prost(uint64, tag = "2")]
    pub(super) certified_ms: u64,
}

/// One sealing key.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Sealing {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) seed: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(super) made_ms: u64,
}

/// A meeting that this device created or was invited to.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Meeting {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) id: Bytes,
    #[prost(string, tag = "2")]
    pub(super) hub: String,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) link_secret: Vec<u8>,
    #[prost(message, optional, tag = "4")]
    pub(super) token: Option<types::DeviceSigned>,
    #[prost(string, tag = "5")]
    pub(super) title: String,
    #[prost(uint64, tag = "6")]
    pub(super) starts_ms: u64,
    #[prost(message, optional, tag = "7")]
    pub(super) record: Option<types::DeviceSigned>,
    #[prost(uint32, tag = "8")]
    pub(super) length_s: u32,
    /// Who invites, while it was not entered.
    #[prost(string, tag = "9")]
    pub(super) inviter: String,
    #[prost(uint64, tag = "10")]
    pub(super) invited_until_ms: u64,
    /// The person has seen the invitation and wants to be asked no more.
    #[prost(bool, tag = "11")]
    pub(super) dismissed: bool,
}
