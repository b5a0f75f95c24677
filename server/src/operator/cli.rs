//! What can be typed, and the help that teaches it.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

/// The home server of one organisation.
///
/// First: `init --domain north.example --dir /etc/conclave`, then `user add alice`, then `serve`. While the server runs, the
/// other commands talk to it over a socket in its data folder.
#[derive(Debug, Parser)]
#[command(name = "conclave-server", version, max_term_width = 100)]
pub(super) struct Cli {
    /// The configuration file [default: conclave.toml here, else /etc/conclave/conclave.toml].
    #[arg(long, global = true, value_name = "FILE", env = "CONCLAVE_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Answer in JSON, for scripts.
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a new server: keys, configuration, and the first signed descriptor.
    ///
    /// Nothing that is there already is overwritten. The fingerprint that it prints is what other organisations' operators
    /// compare.
    Init(Init),
    /// Run the server until SIGTERM or Ctrl-C.
    Serve,
    /// Users of this organisation.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// What the server says of itself to others, signed by the root key.
    Descriptor {
        #[command(subcommand)]
        command: DescriptorCommand,
    },
    /// The other organisations' servers.
    Peer {
        #[command(subcommand)]
        command: PeerCommand,
    },
    /// Write everything that the server remembers to a new file, while it runs or not.
    ///
    /// The file is not encrypted: keep it as safe as the server. Keys are not in it: keep a copy of data/keys too.
    Backup {
        /// The file to be made.
        file: PathBuf,
    },
    /// Make the store anew out of a backup. Refuses if there is a store.
    Restore {
        /// The backup.
        file: PathBuf,
    },
    /// Say what is wrong with configuration, keys, certificates, DNS, ports and disk. Exit code 1 if anything is.
    Check,
    /// What operators did.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The organisation's domain: a DNS name, with the HTTPS port if it is not 443.
    #[arg(long)]
    pub(super) domain: String,
    /// The folder for the configuration and the data.
    #[arg(long, default_value = ".")]
    pub(super) dir: PathBuf,
    /// Whose law the server stands under (ISO 3166-1): CH, RU, IN …
    #[arg(long, value_name = "XX")]
    pub(super) jurisdiction: Option<String>,
    /// Keep the root key in this file, on a medium that you take away; it is made, or read if it is there.
    #[arg(long, value_name = "FILE")]
    pub(super) offline_root: Option<PathBuf>,
    /// The address to listen on [default: all].
    #[arg(long, value_name = "IP")]
    pub(super) listen: Option<IpAddr>,
    /// The TCP port for clients and browsers [default: the domain's].
    #[arg(long, value_name = "PORT")]
    pub(super) http_port: Option<u16>,
    /// The TCP port for other servers.
    #[arg(long, value_name = "PORT")]
    pub(super) federation_port: Option<u16>,
    /// The UDP port for media of other servers.
    #[arg(long, value_name = "PORT")]
    pub(super) relay_port: Option<u16>,
    /// The UDP port for media of clients.
    #[arg(long, value_name = "PORT")]
    pub(super) media_port: Option<u16>,
    /// The certificate chain for HTTPS (PEM) [default: one is made and self-signed].
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) certificate: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(super) key: Option<PathBuf>,
    /// Let names of other servers lead to private addresses: closed networks and demonstrations.
    #[arg(long)]
    pub(super) allow_private: bool,
    /// A further certificate authority (PEM) to trust for other servers' HTTPS; may be given several times.
    #[arg(long = "ca", value_name = "FILE")]
    pub(super) ca_files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make an account. Asks for the password.
    Add {
        /// The part before the @: a-z 0-9 . - _
        name: String,
        /// The person's name as others see it [default: the user's name].
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// Read the password from standard input, up to the end of the line.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the accounts.
    List,
    /// Sign a user out everywhere and let them in no more.
    Disable {
        /// Who.
        name: String,
    },
    /// Let a disabled user in again.
    Enable {
        /// Who.
        name: String,
    },
    /// Set a new password and sign the user out everywhere. Asks for the password.
    Passwd {
        /// Whose.
        name: String,
        /// Read the password from standard input, up to the end of the line.
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum DescriptorCommand {
    /// Show what the descriptor says.
    Show {
        /// Also write it to a file, for servers that are to know this one without looking for it.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
    /// Sign it anew: after a change of the configuration, and once a year.
    Sign(Root),
    /// Put the next federation key in use, make another next one, and sign.
    RotateFederation(Root),
    /// Make another root key the organisation's; the old one vouches for it.
    RotateRoot {
        #[command(flatten)]
        old: Root,
        /// Where the new root key goes; made if it is not there. Then move it to where the old one was.
        #[arg(long, value_name = "FILE")]
        new_root: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Root {
    /// The root key [default: data/keys/root.key].
    #[arg(long, value_name = "FILE")]
    pub(super) root: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum PeerCommand {
    /// List the servers that are known, their roots' fingerprints, and what was decided.
    List,
    /// Federate with a server.
    Approve {
        /// Its domain.
        domain: String,
        /// The fingerprint that its operator told you; also accepts a new root after a change.
        #[arg(long, value_name = "FINGERPRINT")]
        root: Option<String>,
    },
    /// Federate with it no more.
    Block {
        /// Its domain.
        domain: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Show the last acts and whether the chain of hashes holds.
    Show {
        /// How many.
        #[arg(long, default_value_t = 50)]
        last: usize,
    },
}
