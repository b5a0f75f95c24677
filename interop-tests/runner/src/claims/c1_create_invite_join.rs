//! alice creates a meeting and invites bob; the invitation reaches him through both servers; he joins by it; rosters and
//! verification codes agree.

use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{
    person::{Entry, PATIENCE},
    scene::Scene,
    table::{Figure, Gathered},
};

pub(super) fn run(scene: &mut Scene, gathered: &mut Gathered) -> Result<()> {
    let created = scene.alice.create("Budget", &[])?;
    let hub = created.meeting.rsplit('@').next().unwrap_or_default();
    gathered.is("hub", format!("alice's meeting is at her own server, {hub}"), hub == scene.north.domain);

    let alice = scene.alice.join(&created.meeting, &Entry::default())?;
    alice.entered()?;
    let started = Instant::now();
    scene.alice.invite(&created.meeting, &scene.bob.address)?;
    let invitation = scene.bob.invitation(&created.meeting)?;
    let took = started.elapsed().as_secs_f64();
    gathered.figure("invitation.s", "from inviting to bob's client", Figure::at_most(took, "s", 10.0));
    let inviter = invitation["inviter"].as_str().unwrap_or_default();
    gathered.is("inviter", format!("it proves its inviter, {inviter}"), inviter == scene.alice.address);
    gathered.is("title", "it carries the title", invitation["title"] == "Budget");

    let link = invitation["link"].as_str().context("the invitation has no link")?;
    let own = link.starts_with(&format!("https://{}/", scene.south.domain));
    gathered.is("own_server", "its link leads to bob's own server", own);
    let started = Instant::now();
    let bob = scene.bob.join(link, &Entry::default())?;
    bob.entered()?;
    let took = started.elapsed().as_secs_f64();
    gathered.figure("join.s", "from joining to being in the room", Figure::at_most(took, "s", 10.0));

    scene.both_see(&alice, &bob, PATIENCE)?;
    let (mine, his) = (alice.last("roster").context("no roster")?, bob.last("roster").context("no roster")?);
    gathered.is("roster", format!("both see {} devices: {}", devices(&mine).len(), names(&mine)), {
        devices(&mine) == devices(&his) && devices(&mine).len() == 2
    });
    let code = mine["code"].as_str().unwrap_or_default();
    gathered.is(
        "code",
        format!("both compute the code {code}"),
        !code.is_empty() && mine["code"] == his["code"],
    );
    let certified =
        mine["members"].as_array().is_some_and(|all| all.iter().all(|m| m["verification"] == "certified"));
    gathered.is("certified", "every certificate leads to its organisation's root", certified);
    bob.leave()?;
    alice.leave()
}

/// Device, leaf and organisation of every member.
fn devices(roster: &Value) -> Vec<(String, String, u64)> {
    let members = roster["members"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |member: &Value, name: &str| member[name].as_str().unwrap_or_default().to_owned();
    let mut devices: Vec<_> = members
        .iter()
        .map(|member| {
            (
                text(member, "device"),
                text(member, "organisation"),
                member["leaf"].as_u64().unwrap_or(u64::MAX),
            )
        })
        .collect();
    devices.sort();
    devices
}

fn names(roster: &Value) -> String {
    devices(roster).into_iter().map(|(device, ..)| device).collect::<Vec<_>>().join(" ")
}
