//! What dishonest members and outsiders make, correct MLS and wrong here: refused by servers and by members alike.

use conclave_core::{
    group::{CommitPlan, Error, Forbidden, Identity, Suite, Tracker, key_package},
    identity::address::UserKind,
};
use conclave_testkit::{
    forge::{Act, Flaw, Forger, good_context, wrong_confirmation_tag},
    people::START,
};
use openmls::prelude::{
    CredentialType, Extension, ExtensionType, ExternalSendersExtension, RequiredCapabilitiesExtension,
    UnknownExtension,
};

use crate::room::{GROUP, POLICY, Room, SUITES, joiner, north};

/// Alice, Bob, and Mallory, who forges.
fn with_mallory(suite: Suite) -> (Room, Forger) {
    let mut room = Room::with(suite, &["bob"]);
    let mut mallory = Forger::new(room.north.device("mallory", 1), suite);
    let adds = vec![mallory.key_package(None)];
    let draft = room.commit(0, CommitPlan { adds, ..CommitPlan::default() });
    mallory.enter(&draft.welcome.unwrap(), &room.tracker.tree().unwrap());
    (room, mallory)
}

fn assert_refused(room: &mut Room, handshake: &[u8], why: &Error) {
    for answer in room.stage_everywhere(handshake) {
        assert_eq!(answer.as_ref(), Err(why));
    }
    room.assert_one_view();
    room.talk(0);
}

#[test]
fn what_the_forger_makes_is_good_if_it_is_honest() {
    for suite in SUITES {
        let (mut room, mut mallory) = with_mallory(suite);
        let dave = joiner(room.north.device("dave", 1), suite, 90);
        let acts = vec![
            Act::Add(dave.key_package().to_vec()),
            Act::Remove(room.leaf("bob", 1)),
            Act::Context(good_context(b"mallory's")),
        ];
        let (handshake, _) = mallory.commit(acts, b"x".to_vec());
        for answer in room.stage_everywhere(&handshake) {
            let contents = answer.unwrap();
            assert_eq!((contents.adds.len(), contents.removes.len()), (1, 1));
            assert_eq!(contents.policy.as_deref(), Some(&b"mallory's"[..]));
            assert_eq!(contents.committer, mallory.leaf());
        }
    }
}

#[test]
fn c5_external_commit_is_refused() {
    for suite in SUITES {
        let (mut room, mallory) = with_mallory(suite);
        let outsider = Forger::new(room.north.device("oscar", 1), suite);
        let info = mallory.group_info(true);
        let handshake = outsider.external_commit(&info, &room.north.device("oscar", 1));
        assert_refused(&mut room, &handshake, &Forbidden::ExternalCommit.into());
    }
}

#[test]
fn c6_external_commit_that_removes_another_is_refused() {
    for suite in SUITES {
        let (mut room, mallory) = with_mallory(suite);
        let info = mallory.group_info(true);
        let outsider = Forger::new(room.north.device("oscar", 1), suite);
        let handshake = outsider.external_commit(&info, &room.north.device("bob", 1));
        assert_refused(&mut room, &handshake, &Forbidden::ExternalCommit.into());
        let resync = Forger::new(room.north.device("bob", 1), suite);
        let handshake = resync.external_commit(&info, &room.north.device("bob", 1));
        assert_refused(&mut room, &handshake, &Forbidden::ExternalCommit.into());
    }
}

#[test]
fn grp_05_proposals_outside_commits_and_by_reference_are_refused() {
    for suite in SUITES {
        let (mut room, mut mallory) = with_mallory(suite);
        let (proposal, commit) = mallory.remove_by_reference(room.leaf("bob", 1));
        assert_refused(&mut room, &proposal, &Forbidden::StandaloneProposal.into());
        for answer in room.stage_everywhere(&commit) {
            assert!(matches!(answer, Err(Error::Mls { .. })), "the proposal was never taken in: {answer:?}");
        }
        room.talk(1);
    }
}

#[test]
fn grp_05_pre_shared_keys_are_refused() {
    let (mut room, mut mallory) = with_mallory(SUITES[0]);
    let (handshake, _) = mallory.commit(vec![Act::PreSharedKey], Vec::new());
    let answers = room.stage_everywhere(&handshake);
    assert_eq!(answers[0].as_ref(), Err(&Forbidden::PreSharedKey.into()), "the server");
    assert!(answers.iter().all(Result::is_err), "members, who do not have the key");
    room.talk(0);
}

#[test]
fn grp_07_no_signature_key_and_no_device_is_there_twice() {
    for suite in SUITES {
        let (mut room, mut mallory) = with_mallory(suite);
        let bob = room.north.device("bob", 1);
        let mine = room.north.device("mallory", 1);

        let stolen = mallory.take_over(&bob, Vec::new());
        assert_refused(&mut room, &stolen, &Error::LeafTaken);

        let kind = mine.chain().claimed_uri().user().kind();
        let chain = room.north.chain(kind, "mallory", 1, &bob.key().public(), START);
        let same_key = Identity::new(bob.key().clone(), chain).unwrap();
        let duplicate = mallory.take_over(&same_key, Vec::new());
        assert_refused(&mut room, &duplicate, &Error::DuplicateKey);

        // A second device under the same URI, with a key of its own, which a dishonest CA certifies.
        let key = room.north.device("other", 9).key().clone();
        let chain = room.north.chain(kind, "bob", 1, &key.public(), START);
        let twin = Identity::new(key, chain).unwrap();
        let twin = joiner(twin, suite, 91);
        let (handshake, _) = mallory.commit(vec![Act::Add(twin.key_package().to_vec())], Vec::new());
        assert_refused(&mut room, &handshake, &Error::DuplicateDevice);
    }
}

#[test]
fn grp_07_a_key_may_change_if_the_device_stays() {
    for suite in SUITES {
        let (mut room, mut mallory) = with_mallory(suite);
        let key = room.north.device("fresh", 9).key().clone();
        let kind = UserKind::User;
        let chain = room.north.chain(kind, "mallory", 1, &key.public(), START);
        let renewed = Identity::new(key.clone(), chain).unwrap();
        let handshake = mallory.take_over(&renewed, Vec::new());
        for answer in room.stage_everywhere(&handshake) {
            assert_eq!(answer.unwrap().path.unwrap().signature_key, key.public());
        }
    }
}

#[test]
fn grp_02_leaves_that_are_not_of_the_form_are_refused() {
    for suite in SUITES {
        let forger = Forger::new(north().device("mallory", 1), suite);
        assert!(key_package::check(suite, &forger.key_package(None)).is_ok());
        let flaws = [Flaw::NoPolicyCapability, Flaw::Extension, Flaw::LastResort];
        for flaw in flaws {
            let answer = key_package::check(suite, &forger.key_package(Some(flaw)));
            assert!(matches!(answer, Err(Error::Leaf(_))), "{flaw:?}: {answer:?}");
        }
        let other = SUITES.into_iter().find(|other| *other != suite).unwrap();
        let good = forger.key_package(None);
        assert_eq!(key_package::check(other, &good), Err(Error::WrongSuite));
    }
}

#[test]
fn grp_06_a_leaf_whose_certificate_is_for_another_key_is_refused() {
    for suite in SUITES {
        let (mut room, mut mallory) = with_mallory(suite);
        let eve = Forger::new(room.north.device("eve", 1), suite);
        for flaw in [Flaw::ForeignKey, Flaw::BasicCredential] {
            let forged = eve.key_package(Some(flaw));
            let why = key_package::check(suite, &forged).unwrap_err();
            assert!(matches!(why, Error::Leaf(_)), "{why:?}");
            assert!(
                room.members[0]
                    .commit(CommitPlan { adds: vec![forged.clone()], ..CommitPlan::default() })
                    .is_err()
            );
            if flaw == Flaw::ForeignKey {
                let (handshake, _) = mallory.commit(vec![Act::Add(forged)], Vec::new());
                assert_refused(&mut room, &handshake, &why);
            }
        }
    }
}

#[test]
fn grp_03_nothing_of_the_context_changes_but_the_policy() {
    for suite in SUITES {
        let (mut room, mut mallory) = with_mallory(suite);
        let required = |extra: &[ExtensionType]| {
            let mut types = vec![ExtensionType::Unknown(0xF0C0)];
            types.extend_from_slice(extra);
            Extension::RequiredCapabilities(RequiredCapabilitiesExtension::new(
                &types,
                &[],
                &[CredentialType::X509],
            ))
        };
        let policy = Extension::Unknown(0xF0C0, UnknownExtension(b"new".to_vec()));
        let senders = Extension::ExternalSenders(ExternalSendersExtension::default());
        for (what, context) in [
            ("external senders", vec![required(&[]), policy.clone(), senders]),
            ("no policy", vec![required(&[])]),
            ("other requirements", vec![required(&[ExtensionType::ApplicationId]), policy.clone()]),
        ] {
            let (handshake, _) = mallory.commit(vec![Act::Context(context)], Vec::new());
            for answer in room.stage_everywhere(&handshake) {
                assert!(matches!(answer, Err(Error::Context(_))), "{what}: {answer:?}");
            }
            room.talk(0);
        }
    }
}

#[test]
fn grp_11_a_founding_that_is_not_of_the_form_is_refused() {
    for suite in SUITES {
        let found = |context, with_tree| {
            Forger::new(north().device("mallory", 1), suite).found(GROUP, context, with_tree)
        };
        assert!(Tracker::found(&found(good_context(POLICY), true)).is_ok());
        let no_tree = Tracker::found(&found(good_context(POLICY), false)).unwrap_err();
        assert_eq!(no_tree, Error::Malformed("GroupInfo: no ratchet tree"));
        let bare = Tracker::found(&found(Vec::new(), true)).unwrap_err();
        assert!(matches!(bare, Error::Context(_)));
        let mut more = good_context(POLICY);
        more.push(Extension::ExternalSenders(ExternalSendersExtension::default()));
        assert!(matches!(Tracker::found(&found(more, true)), Err(Error::Context(_))));

        let (room, mallory) = with_mallory(suite);
        assert!(room.tracker.epoch().0 > 0);
        let late = Tracker::found(&mallory.group_info(true)).unwrap_err();
        assert_eq!(late, Error::Context("a group is followed from epoch 0 on"));
    }
}

#[test]
fn grp_05_a_wrong_confirmation_tag_is_seen_by_members_and_not_by_servers() {
    for suite in SUITES {
        let (mut room, mut mallory) = with_mallory(suite);
        let (handshake, _) = mallory.commit(Vec::new(), Vec::new());
        let forged = wrong_confirmation_tag(&handshake);
        let answers = room.stage_everywhere(&forged);
        assert!(answers[0].is_ok(), "this is why epochs are confirmed");
        assert!(answers[1..].iter().all(Result::is_err));
        room.assert_one_view();
        room.talk(0);
    }
}

#[test]
fn grp_10_a_welcome_that_holds_a_tree_or_a_pre_shared_key_is_refused() {
    for suite in SUITES {
        let (mut room, mut mallory) = with_mallory(suite);
        let mut dave = joiner(room.north.device("dave", 1), suite, 92);
        let mut enter = |acts, tree_in_welcome| {
            mallory.tree_in_welcome = tree_in_welcome;
            let (handshake, welcome) = mallory.commit(acts, Vec::new());
            let before = room.tracker.snapshot();
            if let Ok((staged, _)) = room.tracker.stage(&handshake) {
                room.tracker.merge(staged).unwrap();
            }
            let tree = room.tracker.tree().unwrap();
            room.tracker.restore(&before).unwrap();
            dave.enter(&welcome.unwrap(), &tree).map(|member| member.roster().len())
        };
        let add = Act::Add(joiner(room.north.device("dave", 1), suite, 92).key_package().to_vec());
        let with_tree = enter(vec![add.clone()], true);
        assert_eq!(with_tree, Err(Error::Malformed("Welcome: it holds a ratchet tree")));
        assert!(enter(vec![add.clone(), Act::PreSharedKey], false).is_err());
        assert_eq!(enter(vec![add], false), Ok(4));
    }
}
