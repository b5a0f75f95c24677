//! The commands of `conclave-server`, all but what `serve` runs.
//!
//! A command that reads or changes the store is an [`act`](act::Act): it goes to the running server over its admin socket, and if none
//! runs, the command opens the store itself.

pub mod act;
mod check;
mod cli;
mod descriptor;
mod init;
mod output;
mod password;
mod serve;
mod socket;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;

use self::{
    act::Act,
    cli::{AuditCommand, Cli, Command, PeerCommand, UserCommand},
};
use crate::{
    config::{self, Config},
    store::backup,
};

/// Where the configuration is looked for if nothing else is said.
const SYSTEM_CONFIG: &str = "/etc/conclave/conclave.toml";

/// Runs the command line; the answer is the exit code.
pub fn run() -> std::process::ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(command(cli)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// Says what is wrong, in one sentence with its causes.
fn fail(error: &anyhow::Error) -> std::process::ExitCode {
    eprintln!("conclave-server: {}", output::sentence(error));
    std::process::ExitCode::FAILURE
}

async fn command(cli: Cli) -> Result<std::process::ExitCode> {
    let json = cli.json;
    let config = || read_config(cli.config.as_deref());
    match cli.command {
        Command::Init(options) => init::run(&options, cli.config.as_deref(), json)?,
        Command::Serve => serve::run(&config()?).await?,
        Command::Check => return check::run(cli.config.as_deref(), json).await,
        Command::Descriptor { command } => descriptor::run(&config()?, command, json).await?,
        Command::Restore { file } => act::restore(&config()?, &file, json).await?,
        Command::User { command } => {
            let config = config()?;
            output::show(perform(&config, user(command)?).await?, json)?;
        }
        Command::Peer { command } => {
            let config = config()?;
            output::show(perform(&config, peer(command)).await?, json)?;
        }
        Command::Audit { command: AuditCommand::Show { last } } => {
            output::show(perform(&config()?, Act::AuditShow { last }).await?, json)?;
        }
        Command::Backup { file } => {
            let file = std::path::absolute(file).context("the name of the backup file")?;
            output::show(backup(&config()?, &file).await?, json)?;
        }
    }
    Ok(std::process::ExitCode::SUCCESS)
}

fn user(command: UserCommand) -> Result<Act> {
    Ok(match command {
        UserCommand::Add { name, display_name, password_stdin } => {
            Act::UserAdd { name, display_name, password: password::ask(password_stdin)? }
        }
        UserCommand::List => Act::UserList,
        UserCommand::Disable { name } => Act::UserDisable { name },
        UserCommand::Enable { name } => Act::UserEnable { name },
        UserCommand::Passwd { name, password_stdin } => {
            Act::UserPasswd { name, password: password::ask(password_stdin)? }
        }
    })
}

fn peer(command: PeerCommand) -> Act {
    match command {
        PeerCommand::List => Act::PeerList,
        PeerCommand::Approve { domain, root } => Act::PeerApprove { domain, root },
        PeerCommand::Block { domain } => Act::PeerBlock { domain },
    }
}

/// Writes a backup. A running server may be confined to its data folder: it writes there, and this process moves the file.
async fn backup(config: &Config, file: &Path) -> Result<act::Answer> {
    if file.exists() {
        return Err(backup::Error::FileExists(file.to_owned()).into());
    }
    let draft = std::path::absolute(&config.data)?.join(format!(".backup.{}", std::process::id()));
    let named = file.to_owned();
    let act = Act::Backup { file: draft.clone(), named: named.clone() };
    let progress = output::progress();
    let Some(answer) = socket::ask(config, &act, &progress).await? else {
        return act::perform_here(config, Act::Backup { file: named.clone(), named }, progress).await;
    };
    let moved = bring(&draft, file).with_context(|| format!("moving the backup to {}", file.display()));
    let _gone = std::fs::remove_file(&draft);
    moved.map(|()| answer)
}

/// The same content under another name, which must not be there; on another disk if need be.
fn bring(from: &Path, to: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if std::fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let mut source = std::fs::File::open(from)?;
    let mut copy = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    std::io::copy(&mut source, &mut copy)?;
    copy.sync_all()
}

/// Has the running server do it, or does it here if none runs.
async fn perform(config: &Config, act: Act) -> Result<act::Answer> {
    let progress = output::progress();
    match socket::ask(config, &act, &progress).await? {
        Some(answer) => Ok(answer),
        None => act::perform_here(config, act, progress).await,
    }
}

/// The configuration that was named, or the one that is found.
fn read_config(named: Option<&Path>) -> Result<Config> {
    Ok(Config::read(&find_config(named)?)?)
}

fn find_config(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let candidates = [config::FILE_NAME, SYSTEM_CONFIG];
    let Some(found) = candidates.iter().map(Path::new).find(|path| path.exists()) else {
        bail!(
            "there is no {} here and no {SYSTEM_CONFIG}; name the configuration with --config FILE, or make a server with `init`",
            config::FILE_NAME
        );
    };
    Ok(found.to_owned())
}
