//! What every meeting's task needs of the rest of the server.

use conclave_core::{
    identity::{
        address::{DeviceUri, Domain},
        signed::Label,
    },
    ids::{MeetingId, SessionNumber},
    meeting::{
        log::ServerSigner,
        room::{Effect, Room},
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
    pub fn withdraw(
        &self,
        meeting: MeetingId,
        session: SessionNumber,
        subject: String,
        basis: WithdrawBasis,
    ) -> ServerSigned {
        let withdraw = Withdraw {
            meeting_id: meeting.as_bytes().to_vec().into(),
            session: session.0,
            subject,
            basis: basis.into(),
            time_ms: clock::now().as_ms(),
            submission_id: random::bytes::<16>().to_vec().into(),
        };
        self.signer.sign(Label::Withdraw, &withdraw)
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

    /// Tells the SFU who is in the room.
    pub fn set_roster(&self, room: &Room) {
        let key = SessionKey { meeting: room.record().id(), session: room.session() };
        let over = room.is_over();
        let inside = room.present().filter(|_| !over);
        self.media.set_roster(key, inside.map(|member| (member.device.clone(), member.leaf)));
    }
}

/// Whether a device is one of this subject: itself, or its user.
pub fn is_of(device: &DeviceUri, subject: &str) -> bool {
    device.to_string() == subject || device.user().to_string() == subject
}
