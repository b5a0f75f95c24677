//! Carries outputs to where they belong, and asserts that all agree.

use conclave_core::{
    group::Member,
    ids::Epoch,
    meeting::{
        follower::{self, Follower},
        hub::{Hub, Input, Output, Stored},
        log::{Entry, Kind},
        policy::PolicyChain,
        record::Record,
        room::Standing,
        submission::Submission,
    },
};
use conclave_proto::types::v1 as wire;
use prost::Message;

use crate::world::{World, signer};

impl World {
    /// Carries every output of both servers, and lets the devices take what is new.
    pub(crate) fn carry(&mut self) {
        while let Some(output) = self.hub.poll() {
            match output {
                Output::SessionOpened { session, policy_chain } => {
                    self.opened = Some((session, policy_chain.clone()));
                    self.changes.clear();
                    self.entries.clear();
                    self.mirrored.clear();
                    let chain = PolicyChain::verify(
                        self.record(),
                        &policy_chain,
                        conclave_core::meeting::Trust::Verify(&self.pins),
                        self.now,
                    )
                    .unwrap();
                    let follower = Follower::new(self.record().clone(), chain, session, signer(&self.south));
                    self.follower = Some(follower);
                    self.follows(true);
                }
                Output::Append { entries, head, effects, .. } => {
                    self.entries.extend(entries.iter().cloned());
                    self.effects.extend(effects);
                    let entries = entries.iter().map(Entry::to_wire).collect();
                    self.mirror(entries, head);
                }
                Output::PolicyStored { statement, .. } => self.changes.push(statement),
                Output::Reply { ticket, receipt } => {
                    self.replies.insert(ticket, receipt);
                }
                Output::Ask { device, ask, .. } => self.asks.push((device, ask)),
                Output::Aside { aside, .. } => self.asides.push(aside),
                Output::RefusedAttempt { domain, times, .. } => self.refusals.push((domain, times)),
            }
        }
        self.deliver();
    }

    fn mirror(&mut self, entries: Vec<wire::Entry>, head: wire::ServerSigned) {
        let follower = self.follower.as_mut().unwrap();
        let input = follower::Input::Entries { entries, head };
        follower.handle(self.now, &self.pins, &input).unwrap();
        let mut acknowledged = false;
        while let Some(output) = follower.poll() {
            match output {
                follower::Output::Append { entries, effects, .. } => {
                    self.mirrored.extend(entries);
                    self.follower_effects.extend(effects);
                }
                follower::Output::Acknowledge(_) => acknowledged = true,
                follower::Output::Evidence { .. } => panic!("an honest hub has one history"),
            }
        }
        assert!(acknowledged);
    }

    fn deliver(&mut self) {
        for who in 0..self.devices.len() {
            self.deliver_to(who);
        }
    }

    fn deliver_to(&mut self, who: usize) {
        if self.devices[who].member.is_none() {
            self.try_to_enter(who);
        }
        let from = self.devices[who].at;
        let entries: Vec<_> = self.entries.iter().filter(|entry| entry.sequence() > from).cloned().collect();
        for entry in entries {
            let device = &mut self.devices[who];
            let Some(member) = &mut device.member else { return };
            device.at = entry.sequence();
            let kind = entry.header().kind;
            if kind == Kind::Void {
                let void = wire::Void::decode(entry.content().clone()).unwrap();
                let place = device.before.iter().position(|(commit, _)| commit.0 >= void.commit_sequence);
                if let Some(place) = place {
                    member.restore(&device.before[place].1).unwrap();
                    device.before.truncate(place);
                }
                continue;
            }
            let Ok(signed) = wire::Signed::decode(entry.content().clone()) else { continue };
            let Ok(submission) = Submission::read(&signed) else { continue };
            match kind {
                Kind::Message => {
                    let opened = member.open(&submission.content);
                    if let Ok(conclave_core::group::member::Opened::Message { plaintext, .. }) = opened {
                        device.heard.push(plaintext);
                    }
                }
                Kind::Commit => {
                    let commit = wire::Commit::decode(submission.content.clone()).unwrap();
                    let Some(wire::commit::Change::Handshake(handshake)) = commit.change else { continue };
                    let own = submission.device == device.uri();
                    if own && !device.pending {
                        continue;
                    }
                    device.before.push((entry.sequence(), device.member.as_ref().unwrap().snapshot()));
                    let member = device.member.as_mut().unwrap();
                    if own {
                        device.pending = false;
                        member.merge_own().unwrap();
                    } else {
                        let Ok((staged, _)) = member.stage(&handshake) else { continue };
                        member.merge(staged).unwrap();
                    }
                    if !device.member.as_ref().unwrap().is_active() {
                        device.member = None;
                    }
                }
                _ => {}
            }
        }
    }

    fn try_to_enter(&mut self, who: usize) {
        let uri = self.devices[who].uri();
        let Some(joiner) = self.devices[who].joiner.as_ref() else { return };
        let Some(room) = self.hub.room() else { return };
        let Standing::Entered(sequence) = room.standing(&uri, &joiner.key_package_ref(), self.now) else {
            return;
        };
        let entry = self.entries.iter().find(|entry| entry.sequence() == sequence).unwrap();
        let epoch = Epoch(entry.header().epoch.0 + 1);
        let Some(tree) = room.tree_at(epoch).cloned() else { return };
        let joiner = self.devices[who].joiner.as_mut().unwrap();
        let Ok(member) = joiner.enter(entry.attachment(), &tree) else { return };
        self.devices[who].member = Some(member);
        self.devices[who].at = sequence;
    }

    // What must always hold.

    /// Hub, follower and every member agree.
    pub(crate) fn assert_agreement(&self) {
        let (hub, follower) = (self.room(), self.follower.as_ref().unwrap().room());
        assert_eq!(self.entries, self.mirrored);
        assert_eq!(self.effects, self.follower_effects);
        assert_eq!(hub.tip(), follower.tip());
        assert_eq!(hub.epoch(), follower.epoch());
        let (here, there): (Vec<_>, Vec<_>) = (hub.members().collect(), follower.members().collect());
        assert_eq!(here, there);
        let members = self.devices.iter().filter_map(|device| device.member.as_ref());
        let authenticators: Vec<_> = members.clone().map(Member::epoch_authenticator).collect();
        assert!(authenticators.windows(2).all(|pair| pair[0] == pair[1]), "one view of the epoch");
        for member in members {
            assert_eq!(member.epoch(), hub.epoch());
            assert_eq!(member.policy().unwrap(), hub.policy().bytes().as_ref());
        }
    }

    /// The hub is killed, and comes back from what it stored.
    pub(crate) fn restart_hub(&mut self) {
        let stored = Stored {
            record: Record::clone(self.record()),
            session: self.opened.clone().map(|(session, chain)| (session, chain, self.entries.clone())),
            changes: self.changes.clone(),
        };
        self.hub = Hub::restore(stored, signer(&self.north), self.now).unwrap();
        self.asks.clear();
        self.follows(true);
        self.tick();
    }

    /// South's server mirrors the session, or does not.
    pub(crate) fn follows(&mut self, follows: bool) {
        let followers = follows.then(|| self.south.domain().clone()).into_iter().collect();
        self.hub.handle(self.now, &self.pins, Input::Followers(followers)).unwrap();
    }
}
