//! An SFU process: the server's media part alone, told by lines of JSON who is there and who calls.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use conclave_core::{
    identity::{address::DeviceUri, address::Domain, keys::Fingerprint},
    ids::{LeafIndex, MeetingId, SessionNumber},
    media::{Codec, Kind, Track},
};
use conclave_proto::{client::v1::PublishedTrack, types::v1::SignedDescriptor};
use conclave_server::{
    federation::tls::{Identity, fingerprint},
    media::{
        Config, Media, OpenRequest, SessionKey,
        relay::{ALPN, Dial, PeerIdentity, Relay, RelayConfig},
    },
};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};

/// The one session.
fn key() -> SessionKey {
    SessionKey { meeting: MeetingId::from_bytes([5; 32]), session: SessionNumber(1) }
}

/// The one track of each publisher.
pub(crate) const TRACK: Track =
    Track { number: conclave_core::ids::TrackNumber(1), kind: Kind::Video, codec: Codec::Vp8, layers: 1 };

/// An SFU process, from outside.
pub(crate) struct Sfu {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Sfu {
    /// Starts one.
    pub(crate) fn start(domain: &str) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["sfu", "--domain", domain])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take().context("no input")?;
        let output = BufReader::new(process.stdout.take().context("no output")?);
        Ok(Self { process, input, output })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Asks and waits for the answer.
    pub(crate) fn ask(&mut self, question: &Value) -> Result<Value> {
        writeln!(self.input, "{question}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).context("the SFU process has ended")
    }
}

impl Drop for Sfu {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// Tells each of two where the other's relay is and which key it has.
pub(crate) fn introduce(sfus: &mut [Sfu]) -> Result<()> {
    let mut about = Vec::new();
    for sfu in &mut *sfus {
        about.push(sfu.ask(&json!({"about": true}))?);
    }
    for sfu in sfus {
        sfu.ask(&json!({"peers": about}))?;
    }
    Ok(())
}

type Directory = Arc<Mutex<HashMap<Domain, (Fingerprint, std::net::SocketAddr)>>>;

struct Peers {
    own: Identity,
    directory: Directory,
}

#[async_trait]
impl PeerIdentity for Peers {
    async fn dial(&self, domain: &Domain) -> Option<Dial> {
        let (pin, address) = *self.directory.lock().unwrap_or_else(PoisonError::into_inner).get(domain)?;
        Some(Dial { address, tls: self.own.client_config(vec![pin], ALPN).ok()? })
    }

    fn server_tls(&self) -> Option<rustls::ServerConfig> {
        self.own.server_config(ALPN).ok()
    }

    async fn identify(
        &self,
        certificate: &CertificateDer<'static>,
        _descriptor: &SignedDescriptor,
    ) -> Option<Domain> {
        let key = fingerprint(certificate).ok()?;
        let directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner);
        directory.iter().find(|(_, (pin, _))| *pin == key).map(|(domain, _)| domain.clone())
    }

    fn descriptor(&self) -> SignedDescriptor {
        SignedDescriptor::default()
    }
}

/// The process itself.
pub(crate) fn serve(domain: &str) -> Result<()> {
    let domain = Domain::parse(domain)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let _inside = runtime.enter();
    let config =
        Config { listen: "127.0.0.1:0".parse()?, advertised: Vec::new(), tcp: Vec::new(), threads: 1 };
    let media = Media::start(&config)?;
    let own = Identity::generate(domain.as_str())?;
    let (spki, directory) = (own.spki(), Directory::default());
    let peers = Arc::new(Peers { own, directory: directory.clone() });
    let relay = RelayConfig { domain: domain.clone(), listen: "127.0.0.1:0".parse()? };
    let relay = Relay::start(relay, peers, &media)?;
    let about = json!({
        "domain": domain.as_str(),
        "spki": spki.as_bytes(),
        "relay": relay.local_address()?.to_string(),
    });
    for line in std::io::stdin().lines() {
        let question: Value = serde_json::from_str(&line?)?;
        let answer = if question.get("about").is_some() {
            about.clone()
        } else if let Some(peers) = question["peers"].as_array() {
            learn(&directory, peers)?;
            json!({})
        } else if let Some(roster) = question["roster"].as_array() {
            set_roster(&media, roster)?;
            json!({})
        } else {
            runtime.block_on(open(&media, &question))?
        };
        println!("{answer}");
    }
    Ok(())
}

fn learn(directory: &Directory, peers: &[Value]) -> Result<()> {
    for peer in peers {
        let domain = Domain::parse(text(&peer["domain"])?)?;
        let spki: Vec<u8> = serde_json::from_value(peer["spki"].clone())?;
        let known = (Fingerprint::parse(&spki)?, text(&peer["relay"])?.parse()?);
        directory.lock().unwrap_or_else(PoisonError::into_inner).insert(domain, known);
    }
    Ok(())
}

fn set_roster(media: &Media, roster: &[Value]) -> Result<()> {
    let devices = roster.iter().map(|device| Ok(DeviceUri::parse(text(device)?)?));
    let devices = devices.collect::<Result<Vec<_>>>()?;
    media.set_roster(key(), devices.into_iter().zip((0..).map(LeafIndex)));
    Ok(())
}

async fn open(media: &Media, question: &Value) -> Result<Value> {
    let mid = question["mid"].as_str();
    let tracks =
        mid.map(|mid| PublishedTrack { mid: mid.to_owned(), track: Some((&TRACK).into()) }).into_iter();
    let request = OpenRequest {
        key: key(),
        device: DeviceUri::parse(text(&question["device"])?)?,
        leaf: LeafIndex(u32::try_from(question["leaf"].as_u64().context("no leaf")?)?),
        offer: text(&question["offer"])?.to_owned(),
        tracks: tracks.collect(),
    };
    match media.open(request).await {
        Ok(opened) => Ok(json!({"answer": opened.answer})),
        Err(error) => bail!("the SFU refuses: {error}"),
    }
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("not a text")
}
