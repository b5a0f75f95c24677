//! A group with its members and a server that follows it.

use conclave_core::{
    group::{
        CommitContents, CommitDraft, CommitPlan, Identity, Joiner, Member, Suite, Tracker, member::Opened,
    },
    ids::{GroupId, LeafIndex},
};
use conclave_testkit::people::{Organisation, START};

pub(crate) const SUITES: [Suite; 2] = [Suite::Classical, Suite::Hybrid];
pub(crate) const GROUP: GroupId = GroupId::from_bytes([7; 32]);
pub(crate) const POLICY: &[u8] = b"the first policy";

pub(crate) fn north() -> Organisation {
    Organisation::new("north.example")
}

pub(crate) fn joiner(identity: Identity, suite: Suite, seed: u8) -> Joiner {
    Joiner::new(identity, suite, GROUP, START, [seed; 32]).unwrap()
}

/// Members and the tracker of one server; every change is checked for equality of all views.
pub(crate) struct Room {
    pub(crate) suite: Suite,
    pub(crate) north: Organisation,
    pub(crate) members: Vec<Member>,
    pub(crate) tracker: Tracker,
    seed: u8,
}

impl Room {
    /// Alice alone.
    pub(crate) fn found(suite: Suite) -> Self {
        let north = north();
        let (alice, info) =
            Member::found(north.device("alice", 1), suite, GROUP, POLICY, START, [1; 32]).unwrap();
        let tracker = Tracker::found(&info).unwrap();
        let room = Self { suite, north, members: vec![alice], tracker, seed: 1 };
        room.assert_one_view();
        room
    }

    /// Alice, and these users of north.
    pub(crate) fn with(suite: Suite, users: &[&str]) -> Self {
        let mut room = Self::found(suite);
        let identities: Vec<_> = users.iter().map(|user| room.north.device(user, 1)).collect();
        room.admit(identities);
        room
    }

    pub(crate) fn seed(&mut self) -> u8 {
        self.seed += 1;
        self.seed
    }

    /// One commit by the first member that adds all of them.
    pub(crate) fn admit(&mut self, identities: Vec<Identity>) {
        let mut joiners: Vec<_> = identities
            .into_iter()
            .map(|identity| {
                let seed = self.seed();
                joiner(identity, self.suite, seed)
            })
            .collect();
        let adds = joiners.iter().map(|joiner| joiner.key_package().to_vec()).collect();
        let draft = self.commit(0, CommitPlan { adds, ..CommitPlan::default() });
        let (welcome, tree) = (draft.welcome.unwrap(), self.tracker.tree().unwrap());
        self.members.extend(joiners.iter_mut().map(|joiner| joiner.enter(&welcome, &tree).unwrap()));
        self.assert_one_view();
    }

    /// A commit by a member, which everybody and the server stage, compare and merge.
    pub(crate) fn commit(&mut self, by: usize, plan: CommitPlan) -> CommitDraft {
        let draft = self.members[by].commit(plan).unwrap();
        let (staged, seen) = self.tracker.stage(&draft.handshake).unwrap();
        assert_eq!(seen, draft.contents, "the server sees what the committer made");
        self.tracker.merge(staged).unwrap();
        for member in self.members.iter_mut().filter(|member| member.is_active()) {
            let (staged, contents) = member.stage(&draft.handshake).unwrap();
            assert_eq!(contents, seen, "members and servers see the same");
            member.merge(staged).unwrap();
        }
        self.members.retain(Member::is_active);
        self.assert_one_view();
        draft
    }

    /// What the server says of a handshake, and what every other member says.
    pub(crate) fn stage_everywhere(
        &mut self,
        handshake: &[u8],
    ) -> Vec<Result<CommitContents, conclave_core::group::Error>> {
        let server = self.tracker.stage(handshake).map(|(_, contents)| contents);
        let members =
            self.members.iter_mut().map(|member| member.stage(handshake).map(|(_, contents)| contents));
        std::iter::once(server).chain(members).collect()
    }

    pub(crate) fn assert_one_view(&self) {
        for member in &self.members {
            assert_eq!(member.epoch(), self.tracker.epoch());
            assert_eq!(member.roster(), self.tracker.roster());
            assert_eq!(member.tree_hash(), self.tracker.tree_hash());
            assert_eq!(member.tree().unwrap(), self.tracker.tree().unwrap());
            assert_eq!(member.policy().unwrap(), self.tracker.policy().unwrap());
            assert_eq!(member.confirmation_tag().unwrap(), self.tracker.confirmation_tag().unwrap());
            assert_eq!(member.epoch_authenticator(), self.members[0].epoch_authenticator());
            assert_eq!(member.frame_base_key().unwrap(), self.members[0].frame_base_key().unwrap());
        }
    }

    /// A message by one member, which every other opens.
    pub(crate) fn talk(&mut self, by: usize) {
        let sealed = self.members[by].seal(b"hello").unwrap();
        let (epoch, leaf) = (self.members[by].epoch(), self.members[by].own_leaf());
        let device = self.tracker.member(leaf).unwrap().device().clone();
        for (place, member) in self.members.iter_mut().enumerate() {
            let expected = if place == by {
                Opened::Own
            } else {
                Opened::Message { epoch, leaf, device: device.clone(), plaintext: b"hello".to_vec() }
            };
            assert_eq!(member.open(&sealed).unwrap(), expected);
        }
    }

    pub(crate) fn leaf(&self, user: &str, number: u8) -> LeafIndex {
        let device = self.north.device(user, number).chain().claimed_uri().clone();
        self.tracker.roster().iter().find(|member| *member.device() == device).unwrap().leaf
    }
}
