//! Somebody in the run who has an account and no invitation, and a server that hands in whatever it is given.

use conclave_core::{
    group::Suite,
    identity::signed::Label,
    ids::SessionNumber,
    meeting::{
        link::{Link, LinkSecret},
        log::{Entry, Kind},
    },
};
use conclave_proto::types::v1 as types;
use prost::{Message as _, bytes::Bytes};

use super::{DOMAINS, Scenario};
use crate::{home_server::HandedIn, intruder::Intruder, invariants::Violation, people::Organisation};

/// Where the intruder lives.
const HOME: &str = DOMAINS[2];

impl Scenario {
    /// From now on an intruder tries things now and then, and nothing of it may land.
    pub fn let_in_an_intruder(&mut self, suite: Suite) {
        let intruder = Intruder::new(Organisation::new(HOME).device("mallory", 77), suite);
        self.watchman.outlaws.insert(intruder.uri().clone());
        self.intruder = Some(intruder);
    }

    /// One thing that an intruder tries, past the network; everything of it is refused and changes nothing.
    pub(super) fn intrude(&mut self) -> Result<(), Violation> {
        let Some(mut intruder) = self.intruder.take() else { return Ok(()) };
        let tried = self.tries(&mut intruder);
        self.intruder = Some(intruder);
        tried
    }

    fn tries(&mut self, intruder: &mut Intruder) -> Result<(), Violation> {
        let hub = self.federation.server(DOMAINS[0]);
        let room = hub.hub(&self.meeting.id).and_then(|hub| hub.room());
        let Some(session) = room.filter(|_| !hub.is_down()).map(conclave_core::meeting::room::Room::session)
        else {
            return Ok(());
        };
        let log = self.log();
        let way = self.federation.roll(6);
        let Some(item) = self.attempt(way, intruder, session, &log) else { return Ok(()) };
        self.history.push(format!("{:?} intrusion {way}", self.federation.now().as_ms() % 10_000_000));
        let answer = self.federation.hand_in(HOME, &self.meeting, item);
        // The same submission of the same device from its own server again: the same answer, and nothing else.
        let again = way == 0 && answer.is_ok_and(|sequence| sequence <= log.len() as u64);
        if (answer.is_err() || again) && self.log().len() == log.len() {
            self.intrusions += 1;
            Ok(())
        } else {
            let what = format!("intrusion {way} is answered by {answer:?}");
            Err(Violation::Intruded(self.meeting.hub.clone(), what))
        }
    }

    fn attempt(
        &mut self,
        way: u32,
        intruder: &mut Intruder,
        session: SessionNumber,
        log: &[Entry],
    ) -> Option<HandedIn> {
        let now = self.federation.now();
        let pick = self.federation.roll(u32::try_from(log.len()).unwrap_or(u32::MAX).max(1)) as usize;
        let written = |entry: &Entry| !matches!(entry.header().kind, Kind::Void | Kind::Withdraw);
        let copied = log.iter().skip(pick).find(|entry| written(entry));
        let signed = copied.and_then(|entry| types::Signed::decode(entry.content().clone()).ok());
        Some(match way {
            // What somebody else handed in, once more.
            0 => HandedIn::Submission(signed?, Bytes::new()),
            // What somebody else handed in, under the own name: Joins, Admits, commits, messages and all.
            1 | 2 => {
                let theirs = types::Submission::decode(signed?.payload).ok()?;
                let mine = intruder.sign_bytes(&self.meeting, session, now, theirs.kind(), theirs.content);
                HandedIn::Submission(mine, copied?.attachment().clone())
            }
            // A Join without evidence, or with a link that was guessed.
            3 | 4 => {
                let byte = u8::try_from(self.federation.roll(255)).unwrap_or_default();
                let secret = (way == 4).then(|| LinkSecret::from_bytes([byte; 32]));
                let package = intruder.forger.key_package(None);
                let link = Link { secret, ..self.link.clone() };
                HandedIn::Submission(intruder.join(&link, session, now, package), Bytes::new())
            }
            // Another organisation's user taken out.
            _ => {
                let withdraw = types::Withdraw {
                    meeting_id: self.meeting.id.as_bytes().to_vec().into(),
                    session: session.0,
                    subject: self.federation.uri(self.people[0]).to_string(),
                    basis: types::WithdrawBasis::AccountDisabled.into(),
                    time_ms: now.as_ms(),
                    entered_sequence: 0,
                    submission_id: now.as_ms().to_be_bytes().repeat(2).into(),
                };
                let home = Organisation::new(HOME).server_signer();
                HandedIn::Withdraw(home.sign(Label::Withdraw, &withdraw))
            }
        })
    }
}
