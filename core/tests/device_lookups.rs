//! What a device does about descriptors that it lacks (spec, chapter 14.5).
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests may panic.

use std::{cell::RefCell, rc::Rc, time::Duration};

use conclave_core::{device::command::Command, group::Suite};
use conclave_proto::client::v1 as api;
use conclave_testkit::scenario::{DOMAINS, Scenario};
use prost::Message as _;

/// Her server has no newer descriptor than the one that lacks the key.
#[test]
fn dev_32_a_key_that_no_descriptor_names_is_looked_for_a_few_times_and_not_for_ever() {
    let mut scenario = Scenario::two_inside(Suite::Classical);
    let (bob, carol, meeting) = (scenario.people[1], scenario.people[2], scenario.meeting.clone());
    scenario.enter(carol);
    let asked: Rc<RefCell<u32>> = Rc::default();
    let count = asked.clone();
    scenario.federation.device_lies(carol, move |path, body| {
        *count.borrow_mut() += u32::from(path.ends_with("/LookUpServer"));
        body
    });
    scenario.federation.server_lies(DOMAINS[1], |path, body| {
        if !path.ends_with("/Watch") {
            return body;
        }
        let mut item = api::WatchResponse::decode(body).unwrap();
        if let Some(api::watch_response::Item::Batch(batch)) = &mut item.item
            && let Some(head) = &mut batch.head
        {
            head.key_id = "of tomorrow".into();
        }
        item.encode_to_vec().into()
    });
    let chat = Command::Chat { meeting: meeting.clone(), text: "bob 1".into() };
    scenario.federation.ask(bob, chat).unwrap();
    scenario.federation.run_for(Duration::from_mins(1));
    let asked = *asked.borrow();
    assert!((2..=8).contains(&asked), "{asked} times");
}
