//! Two organisations on this machine, for people to try: starts them, says what to type, stops them at Ctrl-C.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    Built,
    organisation::{Organisation, Ports, Start},
    scene::{ALICE, BOB},
};

const NORTH: Ports = Ports { public: 7443, federation: 7441, media: 7442 };
const SOUTH: Ports = Ports { public: 8443, federation: 8441, media: 8442 };

/// Runs until Ctrl-C.
pub(crate) fn run(built: &Built, media: &Path) -> Result<()> {
    // Before anything is touched: another demo may run on the same state.
    for ports in [NORTH, SOUTH] {
        are_free(ports)?;
    }
    let folder = built.state.join("live");
    if !built.keep {
        let _ = fs::remove_dir_all(&folder);
    }
    let folders = [folder.join("north"), folder.join("south")];
    let trusted = folders.each_ref().map(|folder| Organisation::certificate_in(folder));
    let mut north = Organisation::init(&built.server, "north", &folders[0], NORTH, &trusted)?;
    let mut south = Organisation::init(&built.server, "south", &folders[1], SOUTH, &trusted)?;
    for (organisation, (user, password)) in [(&mut north, ALICE), (&mut south, BOB)] {
        organisation.serve_plainly()?;
        let known = organisation.admin(&["user", "list"], None)?;
        if !known.contains(&format!("{user}@")) {
            organisation.add_user(user, password)?;
        }
        let took = organisation.start(&Start::default())?;
        println!("{} runs ({:.1} s)", organisation.domain, took.as_secs_f64());
    }
    let desks = [desk(&folder, built, ALICE.0, &north)?, desk(&folder, built, BOB.0, &south)?];
    print!("{}", what_to_type(&desks, media, &north, &south));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(told_to_stop())?;
    println!("\nstopping …");
    // A second Ctrl-C reaches the servers too; a server that has ended already is stopped as well.
    for organisation in [&mut south, &mut north] {
        if organisation.runs() {
            organisation.stop()?;
        }
    }
    println!("Stopped. `cargo xtask demo --keep` goes on from here; without --keep it begins anew.");
    Ok(())
}

/// Waits for Ctrl-C, a closed terminal or a plain `kill`: none of them leaves the servers behind.
async fn told_to_stop() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

fn are_free(ports: Ports) -> Result<()> {
    let tcp =
        [ports.public, ports.federation].map(|port| (port, TcpListener::bind(("127.0.0.1", port)).is_ok()));
    let udp =
        [ports.federation, ports.media].map(|port| (port, UdpSocket::bind(("127.0.0.1", port)).is_ok()));
    for (port, free) in tcp.into_iter().chain(udp) {
        ensure!(
            free,
            "port {port} is in use. If another demo runs, stop it with Ctrl-C in its terminal; \
             otherwise see who uses it: ss -tulpn 'sport = :{port}'"
        );
    }
    Ok(())
}

/// Writes what a person's terminal needs to know, to be read by a shell; gives its file.
fn desk(folder: &Path, built: &Built, user: &str, home: &Organisation) -> Result<String> {
    let file = folder.join(format!("{user}.sh"));
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let programs = built.client.parent().unwrap_or(Path::new("."));
    let lines = format!(
        "export CONCLAVE_HOME={} CONCLAVE_CA={} PATH={}:\"$PATH\"\n",
        quoted(&folder.join(user)),
        quoted(&home.certificate()),
        quoted(programs)
    );
    fs::write(&file, lines).with_context(|| format!("writing {}", file.display()))?;
    Ok(file.display().to_string())
}

fn what_to_type(desks: &[String; 2], media: &Path, north: &Organisation, south: &Organisation) -> String {
    let [alice, bob] = desks;
    let (speech, moving) = (media.join("speech.ogg"), media.join("moving.ivf"));
    let (speech, moving) = (speech.display(), moving.display());
    let config = north.config();
    let config = config.display();
    let (north_page, south_page) = (north.page(), south.page());
    let (north, south) = (&north.domain, &south.domain);
    format!(
        "
Two organisations run on this machine: {north} and {south}.

In a browser, each in a profile or private window of their own:
  alice    {north_page}    password: {1}
  bob      {south_page}    password: {0}
  a guest  opens the link that alice copies from her meeting, and gives a name
Bob may open the same link: he is asked for his address and handed to his own server.

Or in terminals. In a second one, as bob, who can be invited once he has signed in:
  . {bob}
  conclave sign-in bob@{south}        # password: {0}

In a third terminal, as alice:
  . {alice}
  conclave sign-in alice@{north}      # password: {1}
  conclave meeting create --title Weekly
  conclave meeting invite Weekly bob@{south}
  conclave join Weekly

And as bob again:
  conclave invitations
  conclave join Weekly

Whatever you type in a meeting is chat; /help says more. With sound and pictures:
  conclave join Weekly --send-audio {speech} \\
    --send-video {moving} --record recordings

As north's operator: conclave-server --config {config} user list

Ctrl-C here stops both servers.
",
        BOB.1, ALICE.1
    )
}
