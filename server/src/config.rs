//! The configuration: one TOML file, each part of the server with a table of its own.
//!
//! Unknown keys are refused, everything but the domain has a default, and relative paths start at the file's own folder.

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use conclave_core::identity::{
    address::Domain,
    descriptor::{Endpoint, Jurisdiction},
    keys::Fingerprint,
};
use serde::{Deserialize, Deserializer, de};

/// The name of the file that `init` writes.
pub const FILE_NAME: &str = "conclave.toml";

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("the configuration file {0} cannot be read: {1}")]
    Read(PathBuf, std::io::Error),
    /// It is no TOML, or a field is unknown, missing or not of its form.
    #[error("the configuration file {0} is not right:\n{1}")]
    Form(PathBuf, toml::de::Error),
    /// A field has a value that cannot work.
    #[error("the configuration file {file} is not right: {field} {must}")]
    Value {
        /// Which file.
        file: PathBuf,
        /// Which field.
        field: &'static str,
        /// What it must be.
        must: &'static str,
    },
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The organisation's domain.
    #[serde(deserialize_with = "parsed")]
    pub domain: Named<Domain>,
    /// Whose law the server stands under.
    #[serde(default = "unknown_jurisdiction", deserialize_with = "parsed")]
    pub jurisdiction: Named<Jurisdiction>,
    /// The folder of keys, store and logs.
    #[serde(default = "data")]
    pub data: PathBuf,
    /// Browsers and clients, and the descriptor for everybody.
    #[serde(default)]
    pub public: Public,
    /// The client for browsers.
    #[serde(default)]
    pub web: Web,
    /// Other home servers.
    #[serde(default)]
    pub federation: Federation,
    /// Media between home servers.
    #[serde(default)]
    pub relay: Relay,
    /// Media of this server's own clients.
    #[serde(default)]
    pub media: Media,
    /// What is remembered.
    #[serde(default)]
    pub store: Store,
    /// How other servers are found.
    #[serde(default)]
    pub discovery: Discovery,
    /// What is too much.
    #[serde(default)]
    pub limits: Limits,
    /// What is written about the running.
    #[serde(default)]
    pub log: Log,
}

/// `[public]`: HTTPS for clients, and the descriptor for everybody.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Public {
    /// Where to listen (TCP).
    pub listen: SocketAddr,
    /// Certificate chain in PEM; self-signed by `init` unless given.
    pub certificate: PathBuf,
    /// Its key in PEM.
    pub key: PathBuf,
}

/// `[web]`: the client for browsers, at the public port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Web {
    /// Serves the client in this folder in place of the one built in.
    pub folder: Option<PathBuf>,
    /// Serves the public port's contents over plain HTTP here too; a loopback address, for demonstrations on one machine.
    pub plain_loopback: Option<SocketAddr>,
}

/// `[federation]`: gRPC between home servers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Federation {
    /// Where to listen (TCP).
    pub listen: SocketAddr,
    /// Where peers reach it, HOST:PORT; empty: the domain's host and the port of `listen`.
    #[serde(deserialize_with = "parsed_list")]
    pub advertise: Vec<Named<Endpoint>>,
    /// With whom: everybody who is not blocked, or only those whom the operator approved.
    pub peers: Openness,
}

/// Whether a peer needs the operator's approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Openness {
    /// Everybody who is not blocked.
    Open,
    /// Only those approved.
    Approve,
}

/// `[relay]`: QUIC between home servers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Relay {
    /// Where to listen (UDP).
    pub listen: SocketAddr,
    /// Where peers reach it, HOST:PORT; empty: the domain's host and the port of `listen`.
    #[serde(deserialize_with = "parsed_list")]
    pub advertise: Vec<Named<Endpoint>>,
}

/// `[media]`: WebRTC with the clients.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// Where to listen (UDP, TCP for those whose network blocks UDP); each further thread takes the next port.
    pub listen: SocketAddr,
    /// The addresses that clients are told; empty: that of `listen`, or if it is 0.0.0.0, this machine's own.
    pub advertise: Vec<IpAddr>,
    /// Media threads; meetings are spread over them.
    pub threads: u16,
}

/// `[store]`: what is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// Its folder.
    pub folder: PathBuf,
    /// The file with the key that its values are sealed with.
    pub key: PathBuf,
}

/// `[discovery]`: how other servers are found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Discovery {
    /// Whether names may lead to private addresses; for closed networks and demonstrations.
    pub allow_private: bool,
    /// Further certificate authorities (PEM) for the well-known address, besides the system's.
    pub ca_files: Vec<PathBuf>,
    /// Peers that are known without being looked for.
    pub peers: Vec<StaticPeer>,
}

/// `[[discovery.peers]]`: one peer that is known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticPeer {
    /// Its domain.
    #[serde(deserialize_with = "parsed")]
    pub domain: Named<Domain>,
    /// A file with its descriptor, as `descriptor show --save FILE` writes it there; without it, it is fetched.
    pub descriptor: Option<PathBuf>,
    /// The fingerprint of its root key; without it the first root seen is pinned.
    #[serde(default, deserialize_with = "parsed_option")]
    pub root: Option<Named<Fingerprint>>,
}

/// `[limits]`: what is too much.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Passwords checked at one time; each takes 19 MiB and some 20 ms of a core.
    pub sign_ins_at_once: usize,
    /// Passwords that may wait to be checked; more are told to come back.
    pub sign_ins_waiting: usize,
    /// Days until a signed-in device must sign in again.
    pub session_days: u64,
    /// Devices of one user.
    pub devices_per_user: usize,
}

/// `[log]`: what is written about the running.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What is written: `error`, `warn`, `info`, `debug`, or per module as in `info,conclave_server::media=debug`.
    pub level: String,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Config {
    /// With all defaults.
    pub fn of(domain: Domain) -> Self {
        Self {
            domain: Named(domain),
            jurisdiction: unknown_jurisdiction(),
            data: data(),
            public: Public::default(),
            web: Web::default(),
            federation: Federation::default(),
            relay: Relay::default(),
            media: Media::default(),
            store: Store::default(),
            discovery: Discovery::default(),
            limits: Limits::default(),
            log: Log::default(),
        }
    }

    /// Reads and checks a file.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(file).map_err(|error| Error::Read(file.to_owned(), error))?;
        let mut config = Self::parse(file, &text)?;
        let folder = file.parent().unwrap_or(Path::new("."));
        config.data = folder.join(&config.data);
        let data = config.data.clone();
        for path in [
            &mut config.public.certificate,
            &mut config.public.key,
            &mut config.store.folder,
            &mut config.store.key,
        ] {
            *path = data.join(&path);
        }
        let descriptors = config.discovery.peers.iter_mut().filter_map(|peer| peer.descriptor.as_mut());
        let further = descriptors.chain(config.web.folder.as_mut());
        for path in config.discovery.ca_files.iter_mut().chain(further) {
            *path = folder.join(&path);
        }
        Ok(config)
    }

    /// Checks a file's text; paths stay as they are written. `file` is for the messages.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Error> {
        let config: Self = toml::from_str(text).map_err(|error| Error::Form(file.to_owned(), error))?;
        match config.wrong() {
            Some((field, must)) => Err(Error::Value { file: file.to_owned(), field, must }),
            None => Ok(config),
        }
    }

    /// The first field with a value that cannot work.
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let limits = &self.limits;
        let is_plain_elsewhere = self.web.plain_loopback.is_some_and(|plain| !plain.ip().is_loopback());
        let rules = [
            (is_plain_elsewhere, "web.plain_loopback", "must be a loopback address, as in 127.0.0.1:7080"),
            (self.media.threads == 0, "media.threads", "must be at least 1"),
            (limits.sign_ins_at_once == 0, "limits.sign_ins_at_once", "must be at least 1"),
            (limits.sign_ins_waiting == 0, "limits.sign_ins_waiting", "must be at least 1"),
            (limits.devices_per_user == 0, "limits.devices_per_user", "must be at least 1"),
            (!(1..=365).contains(&limits.session_days), "limits.session_days", "must be 1 to 365"),
            (
                collide(self.public.listen, self.federation.listen, 1),
                "federation.listen",
                "must not be the port of public.listen",
            ),
            (
                collide(self.relay.listen, self.media.listen, self.media.threads),
                "media.listen",
                "must leave relay.listen its port (each media thread takes one)",
            ),
            (
                self.media.advertise.iter().any(IpAddr::is_unspecified),
                "media.advertise",
                "must name addresses that clients can reach, not 0.0.0.0 or ::",
            ),
        ];
        rules.into_iter().find(|(wrong, ..)| *wrong).map(|(_, field, must)| (field, must))
    }

    /// Where peers reach the federation services.
    pub fn federation_endpoints(&self) -> Vec<Endpoint> {
        self.endpoints(&self.federation.advertise, self.federation.listen)
    }

    /// Where peers reach the relay.
    pub fn relay_endpoints(&self) -> Vec<Endpoint> {
        self.endpoints(&self.relay.advertise, self.relay.listen)
    }

    fn endpoints(&self, advertised: &[Named<Endpoint>], listen: SocketAddr) -> Vec<Endpoint> {
        if !advertised.is_empty() {
            return advertised.iter().map(|endpoint| endpoint.0.clone()).collect();
        }
        Endpoint::parse(&format!("{}:{}", self.domain.0.host(), listen.port())).into_iter().collect()
    }
}

/// Whether the first port is among so many that begin with the second.
fn collide(one: SocketAddr, other: SocketAddr, ports: u16) -> bool {
    let same_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    let taken = other.port()..other.port().saturating_add(ports);
    same_ip && one.port() != 0 && other.port() != 0 && taken.contains(&one.port())
}

impl Default for Public {
    fn default() -> Self {
        Self { listen: any(443), certificate: "keys/public.pem".into(), key: "keys/public.key".into() }
    }
}

impl Default for Federation {
    fn default() -> Self {
        Self { listen: any(7441), advertise: Vec::new(), peers: Openness::Open }
    }
}

impl Default for Relay {
    fn default() -> Self {
        Self { listen: any(7441), advertise: Vec::new() }
    }
}

impl Default for Media {
    fn default() -> Self {
        let listen = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 7442);
        Self { listen, advertise: Vec::new(), threads: 1 }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { folder: "store".into(), key: "keys/store.key".into() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { sign_ins_at_once: 1, sign_ins_waiting: 64, session_days: 30, devices_per_user: 20 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// A value that is written as text in the file.
#[derive(Clone, PartialEq, Eq)]
pub struct Named<T>(pub T);

impl<T> std::ops::Deref for Named<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Display> fmt::Debug for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl<T: fmt::Display> fmt::Display for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Made from text, with a sentence for what is wrong.
trait FromText: Sized {
    fn from_text(text: &str) -> Result<Self, String>;
}

impl FromText for Domain {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }
}

impl FromText for Jurisdiction {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text)
            .map_err(|_| "a jurisdiction must be two capital letters, as in CH (ISO 3166-1)".to_owned())
    }
}

impl FromText for Endpoint {
    fn from_text(text: &str) -> Result<Self, String> {
        let must =
            "an endpoint must be HOST:PORT, HOST a name in lower case, an IPv4 address or [an IPv6 address]";
        Self::parse(text).map_err(|_| must.to_owned())
    }
}

impl FromText for Fingerprint {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse_text(text).map_err(|error| error.to_string())
    }
}

fn parsed<'de, D: Deserializer<'de>, T: FromText>(from: D) -> Result<Named<T>, D::Error> {
    T::from_text(&String::deserialize(from)?).map(Named).map_err(de::Error::custom)
}

fn parsed_option<'de, D: Deserializer<'de>, T: FromText>(from: D) -> Result<Option<Named<T>>, D::Error> {
    parsed(from).map(Some)
}

fn parsed_list<'de, D: Deserializer<'de>, T: FromText>(from: D) -> Result<Vec<Named<T>>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| T::from_text(text).map(Named).map_err(de::Error::custom)).collect()
}

/// ISO 3166-1 keeps ZZ for users: nothing was said.
fn unknown_jurisdiction() -> Named<Jurisdiction> {
    Named(Jurisdiction::parse("ZZ").expect("two capital letters"))
}

fn data() -> PathBuf {
    "data".into()
}

const fn any(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Config::parse(Path::new("c.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn the_example_shows_the_defaults() {
        let example = include_str!("../config.example.toml");
        let parsed = Config::parse(Path::new("config.example.toml"), example).unwrap();
        assert_eq!(parsed, Config::of(Domain::parse("north.example").unwrap()));
        // Every line that is commented out is right as well.
        let all: String =
            example.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n").collect();
        let parsed = Config::parse(Path::new("config.example.toml"), &all).unwrap();
        assert_eq!(parsed.discovery.peers.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(refused("").contains("missing field `domain`"));
        assert!(refused("domain = 'North'").contains("a domain must be a DNS name in lower case"));
        assert!(refused("domain = 'n.example'\n[public]\nlitsen = 'x'").contains("litsen"));
        assert!(
            refused("domain = 'n.example'\n[media]\nthreads = 0")
                .contains("media.threads must be at least 1")
        );
        let same = "domain = 'n.example'\n[public]\nlisten = '0.0.0.0:7441'";
        assert!(refused(same).contains("federation.listen must not be the port of public.listen"));
        let same = "domain = 'n.example'\n[media]\nlisten = '0.0.0.0:7440'\nthreads = 2";
        assert!(refused(same).contains("media.listen must leave relay.listen its port"));
        assert!(refused("domain = 'n.example'\n[relay]\nadvertise = ['x']").contains("HOST:PORT"));
        assert!(refused("domain = 'n.example'\n[log]\nformat = 'xml'").contains("xml"));
        let plain = "domain = 'n.example'\n[web]\nplain_loopback = '0.0.0.0:80'";
        assert!(refused(plain).contains("web.plain_loopback must be a loopback address"));
        let peer = "domain = 'n.example'\n[[discovery.peers]]\ndomain = 's.example'\nroot = '12'";
        assert!(refused(peer).contains("64 hexadecimal digits"));
    }

    #[test]
    fn a_domain_with_nothing_else_is_enough() {
        let config = Config::parse(Path::new("c.toml"), "domain = 'north.localhost:7443'").unwrap();
        assert_eq!(config.federation_endpoints()[0].to_string(), "north.localhost:7441");
    }
}
