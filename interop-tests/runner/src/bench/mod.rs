//! First figures, on release builds: chat between two organisations, forwarding, joining, a server at rest, and the page in a browser.

mod federation;
mod join;
mod media;
mod plot;
mod process;
mod rest;
mod web;

use std::{fs, path::Path};

use anyhow::{Result, bail};

use crate::{
    organisation::{Organisation, Ports, Start},
    table::{self, Gathered},
};

/// What is measured with what.
pub(crate) struct Bench<'a> {
    /// `conclave-server`, release.
    pub(crate) server: &'a Path,
    /// `conclave`, release.
    pub(crate) client: &'a Path,
    /// `conclave-load`, release.
    pub(crate) load: &'a Path,
    /// `conclave-media-load`, release.
    pub(crate) media_load: &'a Path,
    /// Clips.
    pub(crate) media: &'a Path,
    /// The sources of the page, with its tests.
    pub(crate) page: &'a Path,
    /// Where state is kept, and where the plot goes.
    pub(crate) state: &'a Path,
}

const PASSWORD: &str = "no secret at all";

/// Runs one; prints the table, writes plot and JSON.
pub(crate) fn run(bench: &Bench<'_>, name: &str, json: Option<&Path>) -> Result<bool> {
    let folder = bench.state.join(name);
    let _ = fs::remove_dir_all(&folder);
    let mut gathered = Gathered::default();
    match name {
        "federation" => bench.federation(&folder, &mut gathered)?,
        "media" => bench.forwarding(&mut gathered)?,
        "join" => bench.join(&folder, &mut gathered)?,
        "rest" => bench.rest(&folder, &mut gathered)?,
        "web" => bench.web(&folder, &mut gathered)?,
        other => bail!("there is no bench {other}; there are federation, media, join, rest, web"),
    }
    table::print_figures(name, &gathered);
    let plot = bench.state.join(format!("{name}.svg"));
    fs::write(&plot, plot::bars(name, &gathered))?;
    println!("\nplot: {}", plot.display());
    let ok = gathered.rows.iter().all(|row| row.ok);
    if let Some(file) = json {
        table::write_figures(name, &gathered, file)?;
    }
    Ok(ok)
}

impl Bench<'_> {
    fn organisations(&self, folder: &Path) -> Result<(Organisation, Organisation)> {
        let folders = [folder.join("north"), folder.join("south")];
        let trusted = folders.each_ref().map(|folder| Organisation::certificate_in(folder));
        let mut north = Organisation::init(self.server, "north", &folders[0], Ports::free()?, &trusted)?;
        let mut south = Organisation::init(self.server, "south", &folders[1], Ports::free()?, &trusted)?;
        north.add_user("alice", PASSWORD)?;
        south.add_user("bob", PASSWORD)?;
        north.start(&Start::default())?;
        south.start(&Start::default())?;
        Ok((north, south))
    }
}
