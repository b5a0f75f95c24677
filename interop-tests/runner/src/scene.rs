//! Two organisations with their people: what every claim begins with.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    organisation::{Organisation, Ports, Start},
    person::{Call, Created, Entry, PATIENCE, Person},
};

/// Where the built programs and the clips are.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// `conclave-server`, as it is released.
    pub(crate) server: PathBuf,
    /// `conclave`, as it is released.
    pub(crate) client: PathBuf,
    /// `conclave-server` with the feature `wiretap`.
    pub(crate) wiretap_server: PathBuf,
    /// `conclave` with the feature `canary`.
    pub(crate) canary_client: PathBuf,
    /// Clips of sound and pictures.
    pub(crate) media: PathBuf,
}

/// The stage.
pub(crate) struct Scene {
    /// Where everything is kept.
    pub(crate) folder: PathBuf,
    /// What is run.
    pub(crate) programs: Programs,
    /// alice's organisation; the hub of her meetings.
    pub(crate) north: Organisation,
    /// bob's and mallory's organisation.
    pub(crate) south: Organisation,
    /// alice@north.
    pub(crate) alice: Person,
    /// bob@south.
    pub(crate) bob: Person,
    /// mallory@south.
    pub(crate) mallory: Person,
    records: bool,
}

/// A key in the environment, and so in the memory, of every server that records: the search has to find it.
pub(crate) const PLANTED: &[u8; 32] = b"planted-key-7Hq2xV9cTe4Jw8Lm1Ns5";

/// Accounts of the demo, with passwords that are no secret.
pub(crate) const ALICE: (&str, &str) = ("alice", "correct horse battery staple");
/// At south.
pub(crate) const BOB: (&str, &str) = ("bob", "purple monkey dishwasher");
/// At south too.
pub(crate) const MALLORY: (&str, &str) = ("mallory", "trouble is my middle name");

impl Scene {
    /// Sets up both organisations, starts their servers, signs everybody in.
    pub(crate) fn set_up(folder: &Path, programs: &Programs) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let folders = [folder.join("north"), folder.join("south")];
        let trusted = folders.each_ref().map(|folder| Organisation::certificate_in(folder));
        let mut north = Organisation::init(&programs.server, "north", &folders[0], Ports::free()?, &trusted)?;
        let mut south = Organisation::init(&programs.server, "south", &folders[1], Ports::free()?, &trusted)?;
        north.add_user(ALICE.0, ALICE.1)?;
        south.add_user(BOB.0, BOB.1)?;
        south.add_user(MALLORY.0, MALLORY.1)?;
        north.start(&Start::default())?;
        south.start(&Start::default())?;
        let people = folder.join("people");
        fs::create_dir_all(&people)?;
        let sign_in = |home: &Organisation, (user, password): (&str, &str)| {
            let address = format!("{user}@{}", home.domain);
            Person::sign_in(&programs.client, &people, &address, password, &home.certificate())
        };
        let (alice, bob, mallory) =
            (sign_in(&north, ALICE)?, sign_in(&south, BOB)?, sign_in(&south, MALLORY)?);
        let (folder, programs) = (folder.to_path_buf(), programs.clone());
        Ok(Self { folder, programs, north, south, alice, bob, mallory, records: false })
    }

    /// alice creates a meeting and invites bob.
    pub(crate) fn meeting_with_bob(&self, title: &str, arguments: &[&str]) -> Result<Created> {
        let created = self.alice.create(title, arguments)?;
        self.alice.invite(&created.meeting, &self.bob.address)?;
        Ok(created)
    }

    /// alice and bob are in a meeting of hers, bob by invitation.
    pub(crate) fn call(&self, created: &Created, alice: &Entry, bob: &Entry) -> Result<(Call, Call)> {
        let alice = self.alice.join(&created.meeting, alice)?;
        alice.entered()?;
        let invitation = self.bob.invitation(&created.meeting)?;
        let link = invitation["link"].as_str().context("the invitation has no link")?;
        let bob = self.bob.join(link, bob)?;
        bob.entered()?;
        self.both_see(&alice, &bob, PATIENCE)?;
        Ok((alice, bob))
    }

    /// Both see exactly alice and bob.
    pub(crate) fn both_see(&self, alice: &Call, bob: &Call, limit: Duration) -> Result<()> {
        let both = [self.alice.address.as_str(), self.bob.address.as_str()];
        alice.roster_of(&both, limit)?;
        bob.roster_of(&both, limit).map(drop)
    }

    /// Stops both servers and starts them again with other programs and ways.
    pub(crate) fn restart(&mut self, program: &Path, how: impl Fn(&str) -> Start) -> Result<()> {
        for (name, organisation) in [("north", &mut self.north), ("south", &mut self.south)] {
            if organisation.runs() {
                organisation.stop()?;
            }
            organisation.run_as(program);
            organisation.start(&how(name))?;
        }
        self.records = false;
        Ok(())
    }

    /// Sees to it that both servers run as the build that records what it decrypts; gives the folder of the recordings.
    pub(crate) fn recording(&mut self) -> Result<PathBuf> {
        let taps = self.sub("wiretap")?;
        if !self.records {
            let program = self.programs.wiretap_server.clone();
            self.restart(&program, |name| Start { wiretap: Some(taps.join(name)), trace: None })?;
            self.records = true;
        }
        Ok(taps)
    }

    /// A folder of the scene.
    pub(crate) fn sub(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// Words of the command line.
pub(crate) fn entry(words: &[&str]) -> Entry {
    Entry { arguments: words.iter().map(|word| (*word).to_owned()).collect() }
}
