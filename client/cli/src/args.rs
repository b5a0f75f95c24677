//! What can be typed after `conclave`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use conclave_core::identity::address::{Domain, UserAddress};

/// Meetings that no server can listen in on, across organisations.
#[derive(Debug, Parser)]
#[command(name = "conclave", version, max_term_width = 110, after_long_help = EXAMPLES)]
pub struct Cli {
    /// Write one JSON object a line, for scripts; `join` then reads commands as JSON lines
    #[arg(long, global = true)]
    pub json: bool,
    /// Whose account to use, if you have several here [default: the one used last]
    #[arg(long, global = true, value_name = "ADDRESS", value_parser = UserAddress::parse, env = "CONCLAVE_ACCOUNT")]
    pub account: Option<UserAddress>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
A first meeting:
  conclave sign-in alice@north.example          asks for your password, once
  conclave meeting create --title \"Weekly\"      prints the meeting's link
  conclave meeting invite Weekly bob@south.example
  conclave join Weekly                          or: join LINK. You are in; type to chat, /help for more
And bob, whom you invited:
  conclave invitations                          shows what came, and how to join

Your keys and session are in $CONCLAVE_HOME, or ~/.config/conclave, for you alone.
With --json every command prints JSON lines; see client/cli/README.md for their fields.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in on this machine
    SignIn(SignIn),
    /// Sign out on this machine
    SignOut {
        /// On all your devices
        #[arg(long)]
        everywhere: bool,
    },
    /// Show your signed-in devices, or sign one out
    Devices {
        /// What to do; without it, they are listed
        #[command(subcommand)]
        command: Option<Devices>,
    },
    /// Create, list, show and end meetings, and invite people
    Meeting {
        /// What to do
        #[command(subcommand)]
        command: Meeting,
    },
    /// Show invitations that came; the link of each goes to `join`
    Invitations {
        /// Keep listening for new ones
        #[arg(long)]
        follow: bool,
    },
    /// Enter a meeting
    Join(Join),
    /// Let waiting people in, or turn them away, in the call that runs in another terminal
    Lobby {
        /// What to do
        #[command(subcommand)]
        command: Lobby,
    },
    /// Remove somebody for good from the call that runs in another terminal
    Remove {
        /// Whom
        #[arg(value_parser = UserAddress::parse)]
        address: UserAddress,
    },
    /// Compare what a server gives to browsers with what it says it gives, or with a build of your own
    VerifyWeb(VerifyWeb),
    /// Shut the call that runs in another terminal: nobody new gets in
    Lock {
        /// Open it again
        #[arg(long)]
        off: bool,
    },
}

/// Who signs in, and where.
#[derive(Debug, Args)]
pub struct SignIn {
    /// You, as alice@north.example
    #[arg(value_parser = UserAddress::parse)]
    pub address: UserAddress,
    /// Your organisation's server, if it is not at its domain [default: the domain of your address]
    #[arg(long, value_name = "HOST[:PORT]", value_parser = parse_server)]
    pub server: Option<Domain>,
    /// PEM file with the certificates to trust for that server, in place of the system's
    #[arg(long, value_name = "FILE", env = "CONCLAVE_CA")]
    pub ca: Option<PathBuf>,
    /// Read the password from the first line of the input
    #[arg(long)]
    pub password_stdin: bool,
    /// What to call this device [default: the name of this machine]
    #[arg(long, value_name = "NAME")]
    pub label: Option<String>,
}

/// What can be done with devices.
#[derive(Debug, Subcommand)]
pub enum Devices {
    /// List them
    List,
    /// Sign one out, for example a lost one
    Revoke {
        /// As `devices list` shows it: conclave://…
        device: String,
    },
}

/// What can be done with meetings.
#[derive(Debug, Subcommand)]
pub enum Meeting {
    /// Create a meeting and print its address and link
    Create(Create),
    /// List your meetings
    List,
    /// Show one of your meetings
    Show {
        /// Its title, link or address
        meeting: String,
    },
    /// Invite people; they find the invitation under `conclave invitations`
    Invite {
        /// The meeting's title, link or address
        meeting: String,
        /// Whom, as bob@south.example
        #[arg(required = true, value_parser = UserAddress::parse)]
        addresses: Vec<UserAddress>,
    },
    /// End a meeting for good, for everybody
    End {
        /// Its title, link or address
        meeting: String,
    },
}

/// What a new meeting is to be.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // Each is a flag that can be typed.
pub struct Create {
    /// Its title; servers never see it
    #[arg(long, default_value = "")]
    pub title: String,
    /// Who comes by link waits until a host lets them in
    #[arg(long)]
    pub lobby: bool,
    /// No link: only who is invited by address gets in
    #[arg(long)]
    pub no_link: bool,
    /// Let organisations admit guests without an account
    #[arg(long)]
    pub guests: bool,
    /// All users of this organisation may enter without invitation; can be repeated
    #[arg(long, value_name = "DOMAIN", value_parser = Domain::parse)]
    pub open_domain: Vec<Domain>,
    /// Use classical cryptography alone: faster in very large meetings, but not safe from future quantum computers
    #[arg(long)]
    pub classical: bool,
}

/// How to enter a meeting, and what to send and keep.
#[derive(Debug, Args)]
pub struct Join {
    /// The meeting's link, address, or title if it is one of yours; without its #part a link opens no door
    pub meeting: String,
    /// Send this Opus file (Ogg), again and again
    #[arg(long, value_name = "FILE.ogg")]
    pub send_audio: Option<PathBuf>,
    /// Send this VP8 file (IVF), again and again
    #[arg(long, value_name = "FILE.ivf")]
    pub send_video: Option<PathBuf>,
    /// Keep what others send, as files in this folder
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
    /// Write a line with the hash of each frame sent and received
    #[arg(long, value_name = "FILE")]
    pub frame_log: Option<PathBuf>,
    /// Leave so many seconds after entering
    #[arg(long = "for", value_name = "SECONDS")]
    pub seconds: Option<u64>,
    /// Chat only: neither send nor receive sound and pictures
    #[arg(long)]
    pub no_media: bool,
    /// Come without an account, under this name, as a guest of the link's server
    #[arg(long, value_name = "NAME")]
    pub guest: Option<String>,
    /// As a guest: PEM file with the certificates to trust for that server, in place of the system's
    #[arg(long, value_name = "FILE", env = "CONCLAVE_CA")]
    pub ca: Option<PathBuf>,
}

/// Whose web client is compared, and with what.
#[derive(Debug, Args)]
pub struct VerifyWeb {
    /// Where the server is
    #[arg(value_name = "HOST[:PORT]", value_parser = parse_server)]
    pub server: Domain,
    /// A list of your own, as `sha256sum` writes it, to compare with as well
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// PEM file with the certificates to trust for that server, in place of the system's
    #[arg(long, value_name = "FILE", env = "CONCLAVE_CA")]
    pub ca: Option<PathBuf>,
}

/// What can be done with waiting people.
#[derive(Debug, Subcommand)]
pub enum Lobby {
    /// Let somebody in
    Admit {
        /// The device that waits, or its user's address
        who: String,
    },
    /// Turn somebody away
    Deny {
        /// The device that waits, or its user's address
        who: String,
    },
}

/// A host and port, with or without https:// before it.
fn parse_server(text: &str) -> Result<Domain, conclave_core::identity::address::Error> {
    Domain::parse(text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_hold_together_and_the_help_teaches() {
        Cli::command().debug_assert();
        let help = Cli::command().render_long_help().to_string();
        for word in ["sign-in", "join LINK", "meeting create", "--json", "CONCLAVE_HOME"] {
            assert!(help.contains(word), "{word}");
        }
    }

    #[test]
    fn servers_can_be_given_as_urls() {
        let words =
            ["conclave", "sign-in", "a@north.localhost:7443", "--server", "https://north.localhost:7443/"];
        let Command::SignIn(sign_in) = Cli::try_parse_from(words).unwrap().command else {
            panic!("not sign-in")
        };
        assert_eq!(sign_in.server, Some(Domain::parse("north.localhost:7443").unwrap()));
        assert!(Cli::try_parse_from(["conclave", "sign-in", "nobody"]).is_err());
    }
}
