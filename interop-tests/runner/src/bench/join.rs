//! From pressing join to the first decrypted frame, across organisations.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::{Bench, PASSWORD};
use crate::{
    claims::{first_frame, until_first_frame},
    evidence::media::percentile,
    organisation::Organisation,
    person::{Entry, Person},
    scene::entry,
    table::{Figure, Gathered},
};

impl Bench<'_> {
    pub(super) fn join(&self, folder: &Path, gathered: &mut Gathered) -> Result<()> {
        const TIMES: usize = 20;
        let (mut north, mut south) = self.organisations(folder)?;
        let people = folder.join("people");
        fs::create_dir_all(&people)?;
        let sign_in = |home: &Organisation, user: &str| {
            let address = format!("{user}@{}", home.domain);
            Person::sign_in(self.client, &people, &address, PASSWORD, &home.certificate())
        };
        let (alice, bob) = (sign_in(&north, "alice")?, sign_in(&south, "bob")?);
        let speech = self.media.join("speech.ogg").display().to_string();
        let created = alice.create("Join", &[])?;
        let talking = alice.join(&created.meeting, &entry(&["--send-audio", &speech]))?;
        talking.entered()?;
        let mut times = Vec::new();
        for round in 1..=TIMES {
            let call = bob.join(&created.link, &Entry::default())?;
            first_frame(&call, &alice.address, "audio")?;
            times.push(until_first_frame(&call).context("no first frame")?);
            println!("join {round} of {TIMES}");
            call.leave()?;
            talking.roster_of_last(&[&alice.address])?;
        }
        times.sort_by(f64::total_cmp);
        let what = "from pressing join to the first decrypted frame, across organisations, 20 times";
        gathered.figure("join.first_frame.p50_ms", what, Figure::noted(percentile(&times, 0.5), "ms"));
        talking.leave()?;
        south.stop()?;
        north.stop()
    }
}
