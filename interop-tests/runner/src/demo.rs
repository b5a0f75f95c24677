//! Two organisations on this machine, for people to try: starts them, says what to type, stops them at Ctrl-C.

use std::{fs, path::Path};

use anyhow::Result;

use crate::{
    organisation::{Organisation, Ports, Start},
    scene::{ALICE, BOB},
};

const NORTH: Ports = Ports { public: 7443, federation: 7441, media: 7442 };
const SOUTH: Ports = Ports { public: 8443, federation: 8441, media: 8442 };

/// Runs until Ctrl-C.
pub(crate) fn run(server: &Path, client: &Path, state: &Path, keep: bool) -> Result<()> {
    let folder = state.join("live");
    if !keep {
        let _ = fs::remove_dir_all(&folder);
    }
    let folders = [folder.join("north"), folder.join("south")];
    let trusted = folders.each_ref().map(|folder| Organisation::certificate_in(folder));
    let mut north = Organisation::init(server, "north", &folders[0], NORTH, &trusted)?;
    let mut south = Organisation::init(server, "south", &folders[1], SOUTH, &trusted)?;
    for (organisation, (user, password)) in [(&mut north, ALICE), (&mut south, BOB)] {
        let known = organisation.admin(&["user", "list"], None)?;
        if !known.contains(&format!("{user}@")) {
            organisation.add_user(user, password)?;
        }
        let took = organisation.start(&Start::default())?;
        println!("{} runs ({:.1} s)", organisation.domain, took.as_secs_f64());
    }
    print!("{}", what_to_type(client, &north, &south));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c())?;
    println!("\nstopping …");
    // A second Ctrl-C reaches the servers too; a server that has ended already is stopped as well.
    for organisation in [&mut south, &mut north] {
        if organisation.runs() {
            organisation.stop()?;
        }
    }
    Ok(())
}

fn what_to_type(client: &Path, north: &Organisation, south: &Organisation) -> String {
    let conclave = client.display();
    let (alice_ca, bob_ca) = (north.certificate(), south.certificate());
    let (alice_ca, bob_ca) = (alice_ca.display(), bob_ca.display());
    let (north, south) = (&north.domain, &south.domain);
    format!(
        "
Two organisations run on this machine: {north} and {south}.

In a second terminal, as alice (password: {})
  export CONCLAVE_HOME=/tmp/conclave-alice
  {conclave} sign-in alice@{north} --ca {alice_ca}
  {conclave} meeting create --title Weekly
  {conclave} meeting invite MEETING bob@{south}
  {conclave} join MEETING

In a third terminal, as bob (password: {})
  export CONCLAVE_HOME=/tmp/conclave-bob
  {conclave} sign-in bob@{south} --ca {bob_ca}
  {conclave} invitations
  {conclave} join 'LINK'

Whatever you type there is chat; /help says more. Sound and pictures: {conclave} join --help
Ctrl-C here stops both servers.
",
        ALICE.1, BOB.1
    )
}
