//! Chat both ways, in order, once.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Result;

use crate::{
    person::{Call, Entry},
    scene::Scene,
    table::Gathered,
};

/// Messages in each direction.
const MESSAGES: usize = 50;

pub(super) fn run(scene: &mut Scene, gathered: &mut Gathered) -> Result<()> {
    let created = scene.meeting_with_bob("Chat", &[])?;
    let (mut alice, mut bob) = scene.call(&created, &Entry::default(), &Entry::default())?;
    for number in 0..MESSAGES {
        alice.chat(&format!("alice says {number}"))?;
        bob.chat(&format!("bob says {number}"))?;
    }
    let last = MESSAGES - 1;
    bob.hears(&format!("alice says {last}"), Duration::from_mins(1))?;
    alice.hears(&format!("bob says {last}"), Duration::from_mins(1))?;
    for (hearer, author, name) in [(&bob, &scene.alice.address, "alice"), (&alice, &scene.bob.address, "bob")]
    {
        let heard = of(hearer, author);
        let wanted: Vec<String> = (0..MESSAGES).map(|number| format!("{name} says {number}")).collect();
        let what = format!("{} of {MESSAGES} messages of {name}, in order, once", heard.len());
        gathered.is(&format!("{name}.in_order"), what, heard == wanted);
    }
    let (mine, his) = (order(&alice), order(&bob));
    let increasing = [&mine, &his].iter().all(|order| order.windows(2).all(|pair| pair[0].0 < pair[1].0));
    gathered.is("sequence", "their places in the log only grow", increasing);
    let places: BTreeSet<u64> = mine.iter().chain(&his).map(|(place, _)| *place).collect();
    gathered.is("places", format!("{} places for {} messages", places.len(), mine.len() + his.len()), {
        places.len() == 2 * MESSAGES
    });
    bob.leave()?;
    alice.leave()
}

/// What somebody heard of an author, in order.
pub(super) fn of(hearer: &Call, author: &str) -> Vec<String> {
    hearer.heard_chat().into_iter().filter(|(from, _)| from == author).map(|(_, text)| text).collect()
}

/// Sequence and message id of all chat that somebody saw.
pub(super) fn order(hearer: &Call) -> Vec<(u64, String)> {
    let chat = hearer.events().into_iter().map(|(_, event)| event).filter(|event| event["event"] == "chat");
    chat.map(|event| {
        (event["sequence"].as_u64().unwrap_or(0), event["message_id"].as_str().unwrap_or_default().to_owned())
    })
    .collect()
}
