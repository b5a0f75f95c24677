//! A domain's word on whether its own device, which is in the room, can be reached now; nobody keeps it (spec: LOG-20).

use conclave_proto::types::v1 as wire;
use prost::{Message as _, bytes::Bytes};

use super::{
    Error,
    log::ServerSigner,
    room::{self, Room},
    submission,
    trust::Trust,
};
use crate::{
    identity::{
        address::{DeviceUri, Domain},
        signed::Label,
    },
    ids::{MeetingId, Sequence, SessionNumber},
    limits,
    time::Time,
};

/// What a domain says of one presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendance {
    /// The meeting.
    pub meeting: MeetingId,
    /// The session.
    pub session: SessionNumber,
    /// Which device.
    pub device: DeviceUri,
    /// The commit by which it entered.
    pub entered: Sequence,
    /// Whether its server has no stream to it.
    pub away: bool,
    /// When.
    pub time: Time,
}

impl Attendance {
    /// As the device's own domain signs it.
    pub fn sign(&self, signer: &ServerSigner) -> wire::ServerSigned {
        let attendance = wire::Attendance {
            meeting_id: Bytes::copy_from_slice(self.meeting.as_bytes()),
            session: self.session.0,
            device: self.device.to_string(),
            entered_sequence: self.entered.0,
            away: self.away,
            time_ms: self.time.as_ms(),
        };
        signer.sign(Label::Attendance, &attendance)
    }

    /// What is claimed; nothing is to be believed of it.
    pub(super) fn claimed_device(signed: &wire::ServerSigned) -> Option<DeviceUri> {
        let payload = &signed.signed.as_ref()?.payload;
        let attendance = wire::Attendance::decode(payload.clone()).ok()?;
        DeviceUri::parse(&attendance.device).ok()
    }

    /// Reads it if a domain signed it of its own device, lately, for this session.
    pub fn open(
        signed: &wire::ServerSigned,
        trust: Trust<'_>,
        (meeting, session): (MeetingId, SessionNumber),
        now: Time,
    ) -> Result<Self, Error> {
        use submission::Error as E;
        if signed.encoded_len() > limits::SMALL_ENTRY_BYTES {
            return Err(E::TooLarge.into());
        }
        let domain = Domain::parse(&signed.domain).map_err(|_| E::Malformed("domain"))?;
        let read: wire::Attendance = trust.open_server(Label::Attendance, signed, &domain, now)?;
        let attendance = Self {
            meeting: MeetingId::parse(&read.meeting_id).map_err(|_| E::Malformed("meeting"))?,
            session: SessionNumber(read.session),
            device: DeviceUri::parse(&read.device).map_err(|_| E::Malformed("device"))?,
            entered: Sequence(read.entered_sequence),
            away: read.away,
            time: Time::from_ms(read.time_ms),
        };
        if *attendance.device.domain() != domain {
            return Err(E::WrongDomain.into());
        }
        if attendance.meeting != meeting {
            return Err(E::Elsewhere("meeting").into());
        }
        if attendance.session != session {
            return Err(E::Elsewhere("session").into());
        }
        let apart = now.since(attendance.time).max(attendance.time.since(now));
        if apart > limits::CLOCK_SKEW { Err(E::Time.into()) } else { Ok(attendance) }
    }
}

impl Room {
    /// Whether a domain's word on its device may be told to the members (spec: LOG-20).
    pub fn check_attendance(
        &self,
        signed: &wire::ServerSigned,
        trust: Trust<'_>,
        now: Time,
    ) -> Result<Attendance, Error> {
        let attendance = Attendance::open(signed, trust, (self.record().id(), self.session()), now)?;
        if self.is_over() {
            return Err(room::Error::Over.into());
        }
        let member = self.member(&attendance.device).filter(|member| !self.has_left(member));
        let there = member.is_some_and(|member| member.entered == attendance.entered);
        if there { Ok(attendance) } else { Err(room::Error::NotMember.into()) }
    }
}
