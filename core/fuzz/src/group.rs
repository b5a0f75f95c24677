//! MLS messages, as servers, members and joiners take them in.

use std::cell::{LazyCell, RefCell};

use conclave_core::{
    group::{
        CommitPlan, Joiner, Member, Suite, Tracker, decode::private_header, key_package, member::Opened,
    },
    ids::GroupId,
};
use conclave_testkit::people::{Organisation, START};

use crate::{Target, Verdict};

/// The targets of this module.
pub const TARGETS: &[Target] = &[
    Target { name: "key_packages", run: key_packages, honest: honest_key_packages, authentic: true },
    Target { name: "group_infos", run: group_infos, honest: honest_group_infos, authentic: false },
    Target { name: "commits_at_servers", run: commits_at_servers, honest: honest_commits, authentic: false },
    Target { name: "commits_at_members", run: commits_at_members, honest: honest_commits, authentic: true },
    Target { name: "messages", run: messages, honest: honest_messages, authentic: true },
    Target { name: "welcomes", run: welcomes, honest: honest_welcomes, authentic: false },
    Target { name: "trees", run: trees, honest: honest_trees, authentic: true },
];

const SUITE: Suite = Suite::Classical;
const GROUP: GroupId = GroupId::from_bytes([2; 32]);
const POLICY: &[u8] = b"a policy";

/// A group of alice and bob, as a server and bob see it, and what alice sends next.
struct World {
    organisation: Organisation,
    group_info: Vec<u8>,
    tracker: Tracker,
    bob: RefCell<Member>,
    commits: Vec<Vec<u8>>,
    message: Vec<u8>,
    /// Lets dave in, with the tree of the epoch that it leads to.
    welcome: Vec<u8>,
    tree: Vec<u8>,
}

thread_local! {
    static WORLD: LazyCell<World> = const { LazyCell::new(World::new) };
}

fn joiner(organisation: &Organisation, user: &str, suite: Suite, seed: u8) -> Joiner {
    let identity = organisation.device(user, seed);
    Joiner::new(identity, suite, GROUP, START, [seed; 32]).expect("a KeyPackage")
}

impl World {
    fn new() -> Self {
        let organisation = Organisation::new("north.example");
        let alice = organisation.device("alice", 1);
        let (mut alice, group_info) =
            Member::found(alice, SUITE, GROUP, POLICY, START, [1; 32]).expect("a group");
        let mut tracker = Tracker::found(&group_info).expect("a followed group");
        let mut bob = joiner(&organisation, "bob", SUITE, 2);
        let draft = alice.commit(adding(&bob)).expect("a commit");
        let (staged, _) = tracker.stage(&draft.handshake).expect("a good commit");
        tracker.merge(staged).expect("a merge");
        alice.merge_own().expect("a merge");
        let welcome = draft.welcome.expect("a Welcome");
        let bob = bob.enter(&welcome, &tracker.tree().expect("a tree")).expect("bob enters");
        let message = alice.seal(b"hello").expect("a message");

        let mut commits = Vec::new();
        for plan in [
            CommitPlan::default(),
            CommitPlan { policy: Some(b"another policy".to_vec()), ..CommitPlan::default() },
            adding(&joiner(&organisation, "dave", SUITE, 4)),
        ] {
            alice.drop_own().expect("nothing pending");
            let draft = alice.commit(plan).expect("a commit");
            commits.push((draft.handshake, draft.welcome));
        }
        alice.merge_own().expect("a merge");
        let welcome = commits.iter().find_map(|(_, welcome)| welcome.clone()).expect("a Welcome");
        let commits = commits.into_iter().map(|(handshake, _)| handshake).collect();
        let tree = alice.tree().expect("a tree");
        let bob = RefCell::new(bob);
        Self { organisation, group_info, tracker, bob, commits, message, welcome, tree }
    }
}

fn adding(joiner: &Joiner) -> CommitPlan {
    CommitPlan { adds: vec![joiner.key_package().to_vec()], ..CommitPlan::default() }
}

fn key_packages(input: &[u8]) -> Verdict {
    let accepted = [Suite::Classical, Suite::Hybrid].map(|suite| key_package::check(suite, input).is_ok());
    if accepted.contains(&true) { Verdict::Accepted } else { Verdict::Refused }
}

fn honest_key_packages() -> Vec<Vec<u8>> {
    WORLD.with(|world| {
        [Suite::Classical, Suite::Hybrid]
            .map(|suite| joiner(&world.organisation, "carol", suite, 3).key_package().to_vec())
            .to_vec()
    })
}

fn group_infos(input: &[u8]) -> Verdict {
    Verdict::of(&Tracker::found(input))
}

fn honest_group_infos() -> Vec<Vec<u8>> {
    WORLD.with(|world| vec![world.group_info.clone()])
}

fn commits_at_servers(input: &[u8]) -> Verdict {
    WORLD.with(|world| Verdict::of(&world.tracker.stage(input)))
}

fn commits_at_members(input: &[u8]) -> Verdict {
    WORLD.with(|world| Verdict::of(&world.bob.borrow_mut().stage(input)))
}

fn honest_commits() -> Vec<Vec<u8>> {
    WORLD.with(|world| world.commits.clone())
}

/// What is refused must not keep the honest message from being opened after it.
fn messages(input: &[u8]) -> Verdict {
    WORLD.with(|world| {
        let mut bob = world.bob.borrow_mut();
        let before = bob.snapshot();
        let opened = bob.open(input);
        if let Ok(Opened::Message { plaintext, .. }) = &opened {
            assert_eq!(plaintext, b"hello", "a forged message was opened");
            assert!(private_header(input).is_ok_and(|header| header.group_id == GROUP));
            assert!(bob.open(input).is_err(), "a replayed message was opened");
        } else {
            assert!(bob.open(&world.message).is_ok(), "a refused message broke an honest one");
        }
        bob.restore(&before).expect("back to the state before");
        Verdict::of(&opened)
    })
}

fn honest_messages() -> Vec<Vec<u8>> {
    WORLD.with(|world| vec![world.message.clone()])
}

fn welcomes(input: &[u8]) -> Verdict {
    WORLD.with(|world| Verdict::of(&joiner(&world.organisation, "dave", SUITE, 4).enter(input, &world.tree)))
}

fn honest_welcomes() -> Vec<Vec<u8>> {
    WORLD.with(|world| vec![world.welcome.clone()])
}

fn trees(input: &[u8]) -> Verdict {
    WORLD.with(|world| {
        Verdict::of(&joiner(&world.organisation, "dave", SUITE, 4).enter(&world.welcome, input))
    })
}

fn honest_trees() -> Vec<Vec<u8>> {
    WORLD.with(|world| vec![world.tree.clone()])
}
