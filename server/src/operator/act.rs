//! What an operator can do to the store, by whichever process has it open.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use conclave_core::identity::{address::Domain, descriptor::Descriptor, keys::Fingerprint};
use serde::{Deserialize, Serialize};

use super::output;
use crate::{
    account::{accounts::Accounts, devices},
    audit, clock,
    config::Config,
    federation::book::{self, Decision},
    store::{
        self, Shared,
        backup::{self, Progress, Summary},
        envelope::DataKey,
    },
};

/// One act.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// Makes an account.
    UserAdd {
        /// Who.
        name: String,
        /// As others see them.
        display_name: Option<String>,
        /// In the clear: the socket is the server's own.
        password: String,
    },
    /// Lists the accounts.
    UserList,
    /// Ends all sessions of a user, who may not sign in any more.
    UserDisable {
        /// Who.
        name: String,
    },
    /// Lets a user sign in again.
    UserEnable {
        /// Who.
        name: String,
    },
    /// Sets a password and ends all sessions.
    UserPasswd {
        /// Whose.
        name: String,
        /// In the clear.
        password: String,
    },
    /// Lists the peers.
    PeerList,
    /// Federates with a peer.
    PeerApprove {
        /// Which.
        domain: String,
        /// The root that the operator vouches for.
        root: Option<String>,
    },
    /// Federates with a peer no more.
    PeerBlock {
        /// Which.
        domain: String,
    },
    /// Writes a backup.
    Backup {
        /// Where, an absolute path.
        file: PathBuf,
        /// Where it will lie in the end, for the audit log.
        named: PathBuf,
    },
    /// Reads the audit log.
    AuditShow {
        /// How many.
        last: usize,
    },
    /// Writes down what was done to files.
    Note {
        /// What.
        what: String,
        /// To what.
        subject: String,
    },
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// It is done; a sentence for the operator.
    Done {
        /// The sentence.
        text: String,
    },
    /// The accounts.
    Users {
        /// By name.
        users: Vec<UserRow>,
    },
    /// The peers.
    Peers {
        /// By domain.
        peers: Vec<PeerRow>,
    },
    /// The audit log.
    Audit {
        /// Oldest first.
        entries: Vec<audit::Entry>,
    },
    /// A backup was written.
    Backup {
        /// Where.
        file: PathBuf,
        /// What is in it.
        summary: Summary,
    },
}

/// An account, as it is listed.
#[derive(Debug, Serialize, Deserialize)]
pub struct UserRow {
    /// The address.
    pub address: String,
    /// As others see them.
    pub display_name: String,
    /// May not sign in.
    pub disabled: bool,
    /// When it was made, Unix milliseconds.
    pub created_ms: u64,
    /// Signed-in devices.
    pub devices: usize,
}

/// A peer, as it is listed.
#[derive(Debug, Serialize, Deserialize)]
pub struct PeerRow {
    /// Its domain.
    pub domain: String,
    /// Its root's fingerprint, if one is pinned.
    pub root: Option<String>,
    /// What the operator decided: `undecided`, `approved` or `blocked`.
    pub decision: String,
    /// A root that was offered and refused; the operator may approve it.
    pub refused_root: Option<String>,
    /// When it was first seen, Unix milliseconds.
    pub first_seen_ms: u64,
}

/// Who acts on what.
pub struct Office {
    /// The server's configuration.
    pub config: Config,
    /// The open store.
    pub store: Shared,
}

impl Office {
    /// Does it, and writes it down if it changed something.
    pub async fn perform(&self, act: Act, who: &str, progress: Progress) -> Result<Answer> {
        match act {
            Act::UserList => self.users().await,
            Act::PeerList => self.peers().await,
            Act::AuditShow { last } => Ok(Answer::Audit { entries: audit::last(&*self.store, last).await? }),
            Act::Backup { file, named } => {
                let domain = self.config.domain.as_str();
                let summary = backup::write(&*self.store, &file, domain, clock::now(), progress).await?;
                self.note(who, "backup", &named.display().to_string()).await?;
                Ok(Answer::Backup { file: named, summary })
            }
            Act::Note { what, subject } => {
                self.note(who, &what, &subject).await?;
                Ok(Answer::Done { text: String::new() })
            }
            changing => {
                let (what, subject, text) = self.change(changing).await?;
                self.note(who, what, &subject).await?;
                Ok(Answer::Done { text })
            }
        }
    }

    async fn change(&self, act: Act) -> Result<(&'static str, String, String)> {
        let accounts = self.accounts()?;
        Ok(match act {
            Act::UserAdd { name, display_name, password } => {
                accounts.add(&name, display_name.as_deref(), &password, clock::now()).await?;
                let text = format!("{} can sign in now", accounts.address(&name)?);
                ("user add", name, text)
            }
            Act::UserDisable { name } => {
                accounts.set_disabled(&name, true).await?;
                let ended = devices::sign_out_everywhere(&*self.store, &accounts.address(&name)?).await?;
                let text = format!("{name} is disabled; {ended} sessions ended");
                ("user disable", name, text)
            }
            Act::UserEnable { name } => {
                accounts.set_disabled(&name, false).await?;
                let text = format!("{name} can sign in again");
                ("user enable", name, text)
            }
            Act::UserPasswd { name, password } => {
                accounts.set_password(&name, &password).await?;
                let ended = devices::sign_out_everywhere(&*self.store, &accounts.address(&name)?).await?;
                let text = format!("{name} has a new password; {ended} sessions ended");
                ("user passwd", name, text)
            }
            Act::PeerApprove { domain, root } => {
                let peer = Domain::parse(&domain)?;
                if let Some(root) = root {
                    book::approve_root(&*self.store, &peer, &Fingerprint::parse_text(&root)?).await?;
                }
                book::decide(&*self.store, &peer, Decision::Approved).await?;
                let text = format!("this server federates with {domain}");
                ("peer approve", domain, text)
            }
            Act::PeerBlock { domain } => {
                book::decide(&*self.store, &Domain::parse(&domain)?, Decision::Blocked).await?;
                let text = format!("this server does not federate with {domain} any more");
                ("peer block", domain, text)
            }
            Act::UserList | Act::PeerList | Act::Backup { .. } | Act::AuditShow { .. } | Act::Note { .. } => {
                bail!("a fault of this program: nothing to change")
            }
        })
    }

    fn accounts(&self) -> Result<Accounts> {
        Ok(Accounts::new(self.store.clone(), self.config.domain.0.clone(), &self.config.limits)?)
    }

    async fn users(&self) -> Result<Answer> {
        let accounts = self.accounts()?;
        let mut users = Vec::new();
        for account in accounts.list().await? {
            let now = clock::now().as_ms();
            let devices = devices::list(&*self.store, &account.name).await?;
            users.push(UserRow {
                address: accounts.address(&account.name)?.to_string(),
                display_name: account.display_name,
                disabled: account.disabled,
                created_ms: account.created_ms,
                devices: devices.iter().filter(|device| device.expires_ms > now).count(),
            });
        }
        Ok(Answer::Users { users })
    }

    async fn peers(&self) -> Result<Answer> {
        let root_of = |signed: &Option<_>| {
            let descriptor = Descriptor::verify(signed.as_ref()?).ok()?;
            Some(descriptor.root.fingerprint().to_string())
        };
        let row = |(domain, record): (Domain, book::PeerRecord)| PeerRow {
            domain: domain.to_string(),
            root: root_of(&record.descriptor),
            decision: match record.decision() {
                Decision::Undecided => "undecided",
                Decision::Approved => "approved",
                Decision::Blocked => "blocked",
            }
            .to_owned(),
            refused_root: root_of(&record.refused),
            first_seen_ms: record.first_seen_ms,
        };
        Ok(Answer::Peers { peers: book::list(&*self.store).await?.into_iter().map(row).collect() })
    }

    async fn note(&self, who: &str, what: &str, subject: &str) -> Result<()> {
        let file = self.config.data.join("audit.log");
        Ok(audit::record(&*self.store, &file, who, what, subject, clock::now()).await?)
    }
}

/// Opens the store, does it, and closes the store.
pub(super) async fn perform_here(config: &Config, act: Act, progress: Progress) -> Result<Answer> {
    let store = open_store(config).await?;
    let office = Office { config: config.clone(), store: store.clone() };
    let answer = office.perform(act, &who(), progress).await;
    store.close().await;
    answer
}

/// Opens the store of a server that does not run.
pub(super) async fn open_store(config: &Config) -> Result<Shared> {
    let key = DataKey::read(&config.store.key)?;
    match store::open(&config.store.folder, &key).await {
        Err(store::Error::InUse) => {
            bail!("the server runs but does not answer on its admin socket; see its log")
        }
        opened => opened.with_context(|| format!("opening the store in {}", config.store.folder.display())),
    }
}

/// Makes the store anew out of a backup.
pub(super) async fn restore(config: &Config, file: &Path, json: bool) -> Result<()> {
    let key = DataKey::read(&config.store.key)?;
    let domain = config.domain.as_str();
    let summary = backup::restore(file, &config.store.folder, &key, domain, output::progress()).await?;
    let note = Act::Note { what: "restore".to_owned(), subject: file.display().to_string() };
    perform_here(config, note, output::progress()).await?;
    let text = format!("{} records restored; contents {}", summary.records, summary.contents);
    output::show(Answer::Done { text }, json)
}

/// The operator, as the operating system knows them.
pub(super) fn who() -> String {
    format!("uid {}", rustix::process::getuid().as_raw())
}
