//! What a dishonest hub writes: entries that its machine would refuse, well formed, chained and signed.

use conclave_core::{ids::MeetingId, meeting::log::Entry, time::Time};
use conclave_proto::{
    client::v1::{LogBatch, watch_response::Item},
    types::v1 as types,
};
use prost::{Message as _, bytes::Bytes};
use sha2::{Digest as _, Sha256};

use super::HomeServer;

/// An entry as a dishonest hub would have it.
#[derive(Clone, Debug)]
pub struct Rogue {
    /// Its kind.
    pub kind: types::EntryKind,
    /// Its content.
    pub content: Bytes,
    /// With a commit that adds: the Welcome.
    pub attachment: Bytes,
}

impl Rogue {
    /// What a device signed, written as if it were allowed.
    ///
    /// # Panics
    /// If it is no submission.
    pub fn submission(signed: &types::Signed, attachment: Bytes) -> Self {
        let submission = types::Submission::decode(signed.payload.clone()).expect("a submission");
        Self { kind: submission.kind(), content: signed.encode_to_vec().into(), attachment }
    }
}

impl HomeServer {
    /// The next entry of the session that runs, with a head over it.
    fn rogue_entry(
        &self,
        now: Time,
        meeting: &MeetingId,
        rogue: Rogue,
    ) -> Option<(Entry, types::ServerSigned)> {
        let hub = self.hub(meeting)?;
        let (_, session) = self.disk.hosted.get(meeting)?.sessions.last_key_value()?;
        let last = &session.log.0.last()?.entry;
        let signed = types::Signed::decode(rogue.content.clone()).ok();
        let submission = signed.and_then(|signed| types::Submission::decode(signed.payload).ok());
        let mut header = types::EntryHeader::decode(last.to_wire().header).ok()?;
        header.sequence += 1;
        header.previous_hash = last.hash().as_bytes().to_vec().into();
        header.time_ms = now.as_ms();
        header.epoch = hub.room()?.epoch().0;
        header.kind = rogue.kind.into();
        header.author_domain = self.domain().to_string();
        header.submission_id = Bytes::from_static(&[0; 16]);
        if let Some(submission) = submission.filter(|_| rogue.kind != types::EntryKind::Void) {
            let device = conclave_core::identity::address::DeviceUri::parse(&submission.device).ok()?;
            header.author_domain = device.domain().to_string();
            header.submission_id = submission.submission_id;
        }
        header.content_hash = Sha256::digest(&rogue.content).to_vec().into();
        let header = header.encode_to_vec().into();
        let wire = types::Entry { header, content: rogue.content, attachment: rogue.attachment };
        let entry = Entry::parse(&wire).ok()?;
        let head = hub.sign_head(&entry);
        Some((entry, head))
    }

    /// Shows its own devices an entry that its log does not have.
    pub(crate) fn show_rogue(&mut self, now: Time, meeting: &MeetingId, rogue: Rogue) {
        let Some((entry, head)) = self.rogue_entry(now, meeting, rogue) else { return };
        let item = Item::Batch(LogBatch { entries: vec![entry.to_wire_for_members()], head: Some(head) });
        if let Some(seat) = self.live.hubs.get(meeting) {
            seat.house.slip_in(&item, &mut self.out);
        }
    }

    /// Writes an entry into its log unchecked.
    pub(crate) fn write_rogue(&mut self, now: Time, meeting: &MeetingId, rogue: Rogue) {
        let Some((entry, head)) = self.rogue_entry(now, meeting, rogue) else { return };
        let hosted = self.disk.hosted.get_mut(meeting);
        if let Some((_, session)) = hosted.and_then(|hosted| hosted.sessions.iter_mut().next_back()) {
            session.log.append(vec![entry], &head);
        }
    }
}
