//! The nine claims of the demo, a file for each.

mod c1_create_invite_join;
mod c2_media;
mod c3_chat;
mod c4_refusals;
mod c5_lobby;
mod c6_removal;
mod c7_restart;
mod c8_no_secret;
mod c9_contacts;

pub(crate) use c2_media::{first_frame, until_first_frame};

use std::time::Instant;

use anyhow::Result;

use crate::{
    scene::Scene,
    table::{Gathered, Judged},
};

/// One claim, and how it is shown.
pub(crate) struct Claim {
    /// Its number.
    pub(crate) number: u8,
    /// What is claimed.
    pub(crate) says: &'static str,
    run: fn(&mut Scene, &mut Gathered) -> Result<()>,
}

/// In the order in which they are shown; those that need the recording servers come after those that do not.
pub(crate) const CLAIMS: &[Claim] = &[
    Claim { number: 1, says: "create, invite, join across two servers", run: c1_create_invite_join::run },
    Claim { number: 2, says: "audio and video both ways, frame by frame", run: c2_media::run },
    Claim { number: 3, says: "chat both ways, in order, once", run: c3_chat::run },
    Claim { number: 5, says: "the lobby gives a waiting device nothing", run: c5_lobby::run },
    Claim { number: 7, says: "both servers killed and restarted, nothing lost", run: c7_restart::run },
    Claim { number: 4, says: "mallory is refused, whatever she tries", run: c4_refusals::run },
    Claim { number: 6, says: "who is removed is out, and stays out", run: c6_removal::run },
    Claim { number: 8, says: "no server holds a secret (O1)", run: c8_no_secret::run },
    Claim { number: 9, says: "nobody else is contacted", run: c9_contacts::run },
];

/// Shows the claims that are wanted; all if none is named.
pub(crate) fn run(scene: &mut Scene, wanted: &[u8]) -> Vec<Judged> {
    let mut judged = Vec::new();
    for claim in CLAIMS.iter().filter(|claim| wanted.is_empty() || wanted.contains(&claim.number)) {
        println!("claim {}: {} …", claim.number, claim.says);
        let started = Instant::now();
        let mut gathered = Gathered::default();
        let broke_off = (claim.run)(scene, &mut gathered).err().map(|error| format!("{error:#}"));
        let judgement = Judged { number: claim.number, claim: claim.says, gathered, broke_off };
        let verdict = if judgement.holds() { "holds" } else { "FAILS" };
        println!("claim {}: {verdict} ({:.1} s)", claim.number, started.elapsed().as_secs_f64());
        if let Some(reason) = &judgement.broke_off {
            println!("  {reason}");
        }
        judged.push(judgement);
    }
    judged.sort_by_key(|claim| claim.number);
    judged
}
