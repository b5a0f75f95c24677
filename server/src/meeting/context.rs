//! What every meeting's task needs of the rest of the server.

use conclave_core::{
    identity::{
        address::{DeviceUri, Domain},
        signed::Label,
    },
    ids::{MeetingId, SessionNumber},
    meeting::{
        attendance::Attendance,
        log::ServerSigner,
        room::{Effect, Room},
        watch::Presence,
    },
};
use conclave_proto::types::v1::{ServerSigned, Withdraw, WithdrawBasis};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock,
    federation::{mirror::Mirrors, peers::Peers},
    media::{Media, SessionKey},
    random, store,
};

/// Who is taken out of a session, and why.
#[derive(Clone, Debug)]
pub enum Out {
    /// A presence whose streams broke and did not come back.
    Lost(Presence),
    /// A device or user that may be in no meeting any more.
    Subject(String, WithdrawBasis),
}

/// Shared by all meetings.
#[derive(Clone)]
pub struct Context {
    /// With what this server signs.
    pub signer: ServerSigner,
    /// Where it writes.
    pub store: store::Shared,
    /// The other servers.
    pub peers: Peers,
    /// The streams from other hubs.
    pub mirrors: Mirrors,
    /// The SFU.
    pub media: Media,
    /// Where tasks run.
    pub tasks: TaskTracker,
    /// When they end.
    pub shutdown: CancellationToken,
}

impl Context {
    /// This server's domain.
    pub const fn own(&self) -> &Domain {
        &self.signer.domain
    }

    /// This domain takes one of its own devices, or all devices of a user, out of a session.
    pub fn withdraw(&self, meeting: MeetingId, session: SessionNumber, out: &Out) -> ServerSigned {
        let (subject, basis, entered_sequence) = match out {
            Out::Lost((device, entered)) => (device.to_string(), WithdrawBasis::ConnectionLost, entered.0),
            Out::Subject(subject, basis) => (subject.clone(), *basis, 0),
        };
        let withdraw = Withdraw {
            meeting_id: meeting.as_bytes().to_vec().into(),
            session: session.0,
            subject,
            basis: basis.into(),
            time_ms: clock::now().as_ms(),
            submission_id: random::bytes::<16>().to_vec().into(),
            entered_sequence,
        };
        self.signer.sign(Label::Withdraw, &withdraw)
    }

    /// This domain says whether one of its own devices can be reached.
    pub fn attendance(
        &self,
        meeting: MeetingId,
        session: SessionNumber,
        (device, entered): Presence,
        away: bool,
    ) -> ServerSigned {
        Attendance { meeting, session, device, entered, away, time: clock::now() }.sign(&self.signer)
    }

    /// Tells the SFU who is in the room after these effects, and whom to cut at once.
    pub fn tell_media(&self, room: &Room, effects: &[Effect]) {
        let key = SessionKey { meeting: room.record().id(), session: room.session() };
        let mut changed = false;
        for effect in effects {
            match effect {
                Effect::MemberLeft { device, .. } | Effect::MemberRemoved { device, .. } => {
                    self.media.cut(key, device.clone());
                    changed = true;
                }
                Effect::MemberEntered { .. } | Effect::Voided { .. } | Effect::SessionOver => changed = true,
                _ => {}
            }
        }
        if changed {
            self.set_roster(room);
        }
    }

    /// The own devices that are in a room or ask to enter it.
    pub fn own_devices(&self, room: &Room) -> Vec<DeviceUri> {
        let inside = room.present().map(|member| &member.device);
        let all = inside.chain(room.doors().asking());
        all.filter(|device| device.domain() == self.own()).cloned().collect()
    }

    /// Own devices that may be in no meeting any more send and get no media from now on, whatever the hub says and when; which
    /// those are of one subject: a device, or a user's all.
    pub fn cut(&self, room: &Room, subject: &str) -> Vec<DeviceUri> {
        let key = SessionKey { meeting: room.record().id(), session: room.session() };
        let is_of =
            |device: &DeviceUri| device.to_string() == subject || device.user().to_string() == subject;
        let going: Vec<_> = self.own_devices(room).into_iter().filter(is_of).collect();
        for device in &going {
            self.media.cut(key, device.clone());
        }
        going
    }

    /// Tells the SFU who is in the room.
    pub fn set_roster(&self, room: &Room) {
        let key = SessionKey { meeting: room.record().id(), session: room.session() };
        let over = room.is_over();
        let inside = room.present().filter(|_| !over);
        self.media.set_roster(key, inside.map(|member| (member.device.clone(), member.leaf)));
    }
}
