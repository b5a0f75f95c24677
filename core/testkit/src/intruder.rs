//! A device of a real organisation with a dishonest program: it signs what it likes, and commits what nobody should.

use conclave_core::{
    device::command::MeetingAddress,
    group::{Identity, Suite, key_package},
    identity::{
        address::DeviceUri,
        signed::{self, Label},
    },
    ids::{KeyPackageRef, SessionNumber},
    limits,
    meeting::{
        admission::{JoinView, sign_link},
        link::Link,
    },
    time::Time,
};
use conclave_proto::types::v1::{self as types, EntryKind};
use prost::{Message as _, bytes::Bytes};
use sha2::{Digest as _, Sha256};

use crate::{
    federation::Federation,
    forge::{Act, Forger},
    home_server::HandedIn,
};

/// The dishonest device.
pub struct Intruder {
    /// Its key and certificates.
    pub identity: Identity,
    /// Its MLS.
    pub forger: Forger,
    suite: Suite,
    numbers: u64,
}

impl Intruder {
    /// A certified device that is in no meeting.
    pub fn new(identity: Identity, suite: Suite) -> Self {
        Self { forger: Forger::new(identity.clone(), suite), identity, suite, numbers: 0 }
    }

    /// Its name.
    pub fn uri(&self) -> &DeviceUri {
        self.identity.chain().claimed_uri()
    }

    /// What it signs as a submission.
    pub fn sign(
        &mut self,
        meeting: &MeetingAddress,
        session: SessionNumber,
        now: Time,
        kind: EntryKind,
        content: &impl prost::Message,
    ) -> types::Signed {
        self.sign_bytes(meeting, session, now, kind, content.encode_to_vec().into())
    }

    /// The same, with content that somebody else made.
    pub fn sign_bytes(
        &mut self,
        meeting: &MeetingAddress,
        session: SessionNumber,
        now: Time,
        kind: EntryKind,
        content: Bytes,
    ) -> types::Signed {
        self.numbers += 1;
        let id = Sha256::digest([self.uri().to_string().as_bytes(), &self.numbers.to_be_bytes()].concat());
        let submission = types::Submission {
            meeting_id: Bytes::copy_from_slice(meeting.id.as_bytes()),
            session: session.0,
            submission_id: Bytes::copy_from_slice(&id[..16]),
            kind: kind.into(),
            device: self.uri().to_string(),
            time_ms: now.as_ms(),
            content,
        };
        signed::sign_message(Label::Submission, &submission, self.identity.key())
    }

    /// A Join by link with this KeyPackage, good or not.
    pub fn join(
        &mut self,
        link: &Link,
        session: SessionNumber,
        now: Time,
        package: Vec<u8>,
    ) -> types::Signed {
        let expires = now + limits::JOIN_LIFETIME;
        let summary = key_package::check(self.suite, &package);
        let join = JoinView {
            meeting: link.meeting,
            session,
            device: self.uri().clone(),
            key_package_ref: summary
                .map_or(KeyPackageRef::from_bytes([0; 32]), |known| known.key_package_ref),
            expires,
            evidence: None,
            jurisdiction: None,
        };
        let evidence = link.secret.as_ref().map(|secret| sign_link(&join, &secret.link_key()));
        let content = types::Join {
            key_package: package.into(),
            evidence: Some(types::Evidence { evidence }),
            expires_ms: expires.as_ms(),
        };
        let meeting = MeetingAddress { id: link.meeting, hub: link.hub.clone() };
        self.sign(&meeting, session, now, EntryKind::Join, &content)
    }

    /// Enters honestly, so as to be dishonest inside.
    ///
    /// # Panics
    /// If it is not let in.
    pub fn enter(&mut self, federation: &mut Federation, link: &Link, session: SessionNumber) {
        let meeting = MeetingAddress { id: link.meeting, hub: link.hub.clone() };
        let package = self.forger.key_package(None);
        let join = self.join(link, session, federation.now(), package);
        let home = self.uri().domain().to_string();
        federation.hand_in(&home, &meeting, HandedIn::Submission(join, Bytes::new())).expect("a Join");
        let uri = self.uri().clone();
        let entered = |federation: &Federation| {
            let room = federation.server(meeting.hub.as_str()).hub(&meeting.id)?.room()?;
            room.entered_at(&uri)
        };
        assert!(
            federation.run_until(std::time::Duration::from_mins(1), |it| entered(it).is_some()),
            "not let in"
        );
        let sequence = entered(federation).expect("the commit that added it");
        let server = federation.server(meeting.hub.as_str());
        let log = &server.disk().hosted[&meeting.id].sessions[&session].log;
        let entry = &log.at(sequence).expect("the commit").entry;
        let room = server.hub(&meeting.id).and_then(|hub| hub.room()).expect("a room");
        let tree = room.tree_at(conclave_core::ids::Epoch(entry.header().epoch.0 + 1)).expect("a tree");
        self.forger.enter(entry.attachment(), tree);
    }

    /// A signed commit of these acts, with its Welcome; `damage` changes the handshake first.
    pub fn commit(
        &mut self,
        meeting: &MeetingAddress,
        session: SessionNumber,
        now: Time,
        acts: Vec<Act>,
        damage: impl Fn(&[u8]) -> Vec<u8>,
    ) -> (types::Signed, Bytes) {
        self.annotated(meeting, session, now, acts, &types::CommitAnnotations::default(), damage)
    }

    /// The same, with annotations.
    pub fn annotated(
        &mut self,
        meeting: &MeetingAddress,
        session: SessionNumber,
        now: Time,
        acts: Vec<Act>,
        annotations: &types::CommitAnnotations,
        damage: impl Fn(&[u8]) -> Vec<u8>,
    ) -> (types::Signed, Bytes) {
        let annotations = annotations.encode_to_vec();
        let (handshake, welcome) = self.forger.commit(acts, annotations);
        let welcome = Bytes::from(welcome.unwrap_or_default());
        let welcome_hash =
            if welcome.is_empty() { Bytes::new() } else { Bytes::copy_from_slice(&Sha256::digest(&welcome)) };
        let change = Some(types::commit::Change::Handshake(damage(&handshake).into()));
        let commit = types::Commit { change, welcome_hash };
        (self.sign(meeting, session, now, EntryKind::Commit, &commit), welcome)
    }
}
