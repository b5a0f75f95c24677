//! What devices do: show evidence, submit, commit, judge.

use std::time::Duration;

use conclave_core::{
    group::{CommitDraft, CommitPlan, Joiner, Member},
    identity::address::{DeviceUri, Domain},
    ids::{Epoch, LeafIndex, Sequence, SubmissionId},
    limits,
    meeting::{
        Error,
        admission::{JoinView, NewToken, sign_link, sign_token},
        commit_rules::Annotations,
        hub::{Ask, Input, Receipt},
        log::{Kind, group_id},
        policy::{Policy, Rules, sign_change},
        room::Standing,
        submission::Submission,
    },
};
use conclave_proto::types::v1 as wire;
use prost::{Message, bytes::Bytes};
use sha2::{Digest, Sha256};

use crate::world::{SUITE, World};

impl World {
    pub(crate) fn renew_joiner(&mut self, who: usize) {
        let seed = self.fresh();
        let group = group_id(&self.record().id(), self.session());
        let identity = self.devices[who].identity.clone();
        self.devices[who].joiner = Some(Joiner::new(identity, SUITE, group, self.now, seed).unwrap());
    }

    pub(crate) fn view(&self, who: usize) -> JoinView {
        let joiner = self.devices[who].joiner.as_ref().unwrap();
        JoinView {
            meeting: self.record().id(),
            session: self.session(),
            device: self.devices[who].uri(),
            key_package_ref: joiner.key_package_ref(),
            expires: self.now + limits::JOIN_LIFETIME,
            evidence: None,
            jurisdiction: None,
        }
    }

    /// Makes a fresh KeyPackage and signs for it with the link's key; as `join` wants it.
    #[allow(clippy::unnecessary_wraps)]
    pub(crate) fn link_evidence(&mut self, who: usize) -> Option<wire::evidence::Evidence> {
        self.renew_joiner(who);
        Some(sign_link(&self.view(who), &self.secret.link_key()))
    }

    pub(crate) fn token(&mut self, by: usize, to: usize) -> wire::DeviceSigned {
        let new = NewToken {
            meeting: self.record().id(),
            address: self.devices[to].uri().user().clone(),
            id: [9; 16],
            role: wire::Role::Participant,
            issued: self.now,
            expires: self.now + Duration::from_hours(24),
        };
        sign_token(&new, &self.devices[by].identity)
    }

    /// A token for a fresh KeyPackage's device; as `join` wants it.
    #[allow(clippy::unnecessary_wraps)]
    pub(crate) fn token_evidence(&mut self, by: usize, to: usize) -> Option<wire::evidence::Evidence> {
        self.renew_joiner(to);
        Some(wire::evidence::Evidence::Token(self.token(by, to)))
    }

    // Submissions.

    pub(crate) fn submission(&mut self, who: usize, kind: Kind, content: Vec<u8>) -> Submission {
        let id = self.fresh()[..16].try_into().unwrap();
        Submission {
            meeting: self.record().id(),
            session: self.session(),
            id: SubmissionId::from_bytes(id),
            kind,
            device: self.devices[who].uri(),
            time: self.now,
            content: content.into(),
        }
    }

    pub(crate) fn signed(&mut self, who: usize, kind: Kind, content: Vec<u8>) -> wire::Signed {
        self.submission(who, kind, content).sign(&self.devices[who].identity)
    }

    pub(crate) fn hand_in(
        &mut self,
        from: &Domain,
        submission: wire::Signed,
        attachment: Vec<u8>,
    ) -> Result<Receipt, Error> {
        let ticket = self.ticket();
        let input =
            Input::Submit { ticket, from: from.clone(), submission, attachment: Bytes::from(attachment) };
        let handled = self.hub.handle(self.now, &self.pins, input);
        self.carry();
        handled.map(|()| self.replies[&ticket])
    }

    pub(crate) fn submit(&mut self, who: usize, kind: Kind, content: Vec<u8>) -> Result<Receipt, Error> {
        let signed = self.signed(who, kind, content);
        let from = self.devices[who].uri().domain().clone();
        self.hand_in(&from, signed, vec![])
    }

    pub(crate) fn join_content(&self, who: usize, evidence: Option<wire::evidence::Evidence>) -> Vec<u8> {
        wire::Join {
            key_package: self.devices[who].joiner.as_ref().unwrap().key_package().to_vec().into(),
            evidence: evidence.map(|evidence| wire::Evidence { evidence: Some(evidence) }),
            expires_ms: (self.now + limits::JOIN_LIFETIME).as_ms(),
        }
        .encode_to_vec()
    }

    /// Hands a Join in; evidence with a link signature needs the KeyPackage that it was made for.
    pub(crate) fn join(
        &mut self,
        who: usize,
        evidence: Option<wire::evidence::Evidence>,
    ) -> Result<Receipt, Error> {
        if evidence.is_none() || self.devices[who].joiner.is_none() {
            self.renew_joiner(who);
        }
        let content = self.join_content(who, evidence);
        self.submit(who, Kind::Join, content)
    }

    /// Joins, and whoever is asked commits.
    pub(crate) fn enter(&mut self, who: usize, evidence: Option<wire::evidence::Evidence>) {
        self.join(who, evidence).unwrap();
        self.answer();
        assert!(self.devices[who].member.is_some(), "device {who} is in");
    }

    pub(crate) fn standing(&self, who: usize) -> Standing {
        let device = &self.devices[who];
        let reference = device.joiner.as_ref().unwrap().key_package_ref();
        self.room().standing(&device.uri(), &reference, self.now)
    }

    pub(crate) fn place_of(&self, uri: &DeviceUri) -> usize {
        self.devices.iter().position(|device| device.uri() == *uri).unwrap()
    }

    /// Every ask is answered, until there is none.
    pub(crate) fn answer(&mut self) {
        while let Some((uri, ask)) = self.asks.pop() {
            self.asks.clear();
            let who = self.place_of(&uri);
            self.answer_one(who, &ask).unwrap();
        }
    }

    pub(crate) fn answer_one(&mut self, who: usize, ask: &Ask) -> Result<Receipt, Error> {
        if ask.found {
            return self.found(who);
        }
        let (plan, annotations) = self.plan_of(ask);
        self.commit(who, plan, &annotations)
    }

    pub(crate) fn plan_of(&self, ask: &Ask) -> (CommitPlan, Annotations) {
        let (mut plan, mut annotations) = (CommitPlan::default(), Annotations::default());
        let room = self.room();
        for &sequence in &ask.joins {
            let join = room.doors().join(sequence).unwrap();
            plan.adds.push(join.key_package.to_vec());
            let admit = join.admitted.map(|(admit, _)| admit);
            annotations.adds.push((sequence, join.view.key_package_ref, admit));
            if let Some(old) = room.member(join.device()) {
                plan.removes.push(old.leaf);
            }
        }
        for &sequence in &ask.removes {
            for device in &room.doors().departure(sequence).unwrap().devices {
                let Some(member) = room.member(device).filter(|member| room.has_left(member)) else {
                    continue;
                };
                if !plan.removes.contains(&member.leaf) {
                    plan.removes.push(member.leaf);
                    annotations.removes.push((member.leaf, sequence));
                }
            }
        }
        (plan, annotations)
    }

    pub(crate) fn found(&mut self, who: usize) -> Result<Receipt, Error> {
        let (seed, group) = (self.fresh(), group_id(&self.record().id(), self.session()));
        let identity = self.devices[who].identity.clone();
        let policy = self.hub.policy_chain().tip().bytes().clone();
        let (member, info) = Member::found(identity, SUITE, group, &policy, self.now, seed).unwrap();
        let content = wire::Commit {
            change: Some(wire::commit::Change::Founding(info.into())),
            welcome_hash: Bytes::new(),
        };
        // It is a member when its founding is in the log.
        self.devices[who].member = Some(member);
        let done = self.submit(who, Kind::Commit, content.encode_to_vec());
        match &done {
            Ok(receipt) => self.devices[who].at = receipt.sequence,
            Err(_) => self.devices[who].member = None,
        }
        done
    }

    pub(crate) fn draft(
        &mut self,
        who: usize,
        mut plan: CommitPlan,
        annotations: &Annotations,
    ) -> CommitDraft {
        plan.annotations = annotations.encode();
        self.devices[who].pending = true;
        self.devices[who].member.as_mut().unwrap().commit(plan).unwrap()
    }

    pub(crate) fn commit_content(handshake: Vec<u8>, welcome: Option<&Vec<u8>>) -> Vec<u8> {
        wire::Commit {
            change: Some(wire::commit::Change::Handshake(handshake.into())),
            welcome_hash: welcome.map(|welcome| Sha256::digest(welcome).to_vec().into()).unwrap_or_default(),
        }
        .encode_to_vec()
    }

    /// Makes a commit and hands it in; a refused one is dropped.
    pub(crate) fn commit(
        &mut self,
        who: usize,
        plan: CommitPlan,
        annotations: &Annotations,
    ) -> Result<Receipt, Error> {
        let draft = self.draft(who, plan, annotations);
        let content = Self::commit_content(draft.handshake, draft.welcome.as_ref());
        let signed = self.signed(who, Kind::Commit, content);
        let from = self.devices[who].uri().domain().clone();
        let done = self.hand_in(&from, signed, draft.welcome.unwrap_or_default());
        if done.is_err() {
            self.devices[who].pending = false;
            self.devices[who].member.as_mut().unwrap().drop_own().unwrap();
        }
        done
    }

    /// A change of policy by commit, with these leaves removed.
    pub(crate) fn change_by_commit(
        &mut self,
        committer: usize,
        signer: usize,
        removes: Vec<LeafIndex>,
        change: impl FnOnce(&mut Rules),
    ) -> Result<Receipt, Error> {
        let policy = self.next_policy(change);
        let statement = sign_change(self.record().id(), &policy, &self.devices[signer].identity, self.now);
        let annotations = Annotations { policy: Some(statement), ..Annotations::default() };
        let plan = CommitPlan { removes, policy: Some(policy.bytes().to_vec()), ..CommitPlan::default() };
        self.commit(committer, plan, &annotations)
    }

    pub(crate) fn next_policy(&self, change: impl FnOnce(&mut Rules)) -> Policy {
        let chain = self.hub.policy_chain();
        let mut rules = chain.tip().rules().clone();
        change(&mut rules);
        chain.tip().next(&rules).unwrap()
    }

    pub(crate) fn leaf(&self, who: usize) -> LeafIndex {
        self.room().member(&self.devices[who].uri()).unwrap().leaf
    }

    pub(crate) fn leave(&mut self, who: usize) -> Receipt {
        let content = wire::Leave { leaf_index: self.leaf(who).0 }.encode_to_vec();
        self.submit(who, Kind::Leave, content).unwrap()
    }

    pub(crate) fn say(&mut self, who: usize, text: &[u8]) -> Result<Receipt, Error> {
        let sealed = self.devices[who].member.as_mut().unwrap().seal(text).unwrap();
        self.submit(who, Kind::Message, sealed)
    }

    pub(crate) fn judge(
        &mut self,
        who: usize,
        commit: Sequence,
        epoch: Epoch,
        accepted: bool,
    ) -> Result<Receipt, Error> {
        let member = self.devices[who].member.as_ref().unwrap();
        let tag = if accepted { member.confirmation_tag().unwrap() } else { Vec::new() };
        let confirm = wire::Confirm {
            group_id: Bytes::copy_from_slice(self.room().group().as_bytes()),
            epoch: epoch.0,
            accepted,
            confirmation_tag: tag.into(),
            commit_sequence: commit.0,
        };
        self.submit(who, Kind::Confirm, confirm.encode_to_vec())
    }
}
