//! `check`: what is wrong, and what to do about it.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::Result;
use conclave_core::{identity::descriptor::Descriptor, time::Time};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use serde::Serialize;
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use x509_cert::{
    Certificate,
    der::Decode as _,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use super::{act, output, serve, socket};
use crate::{
    clock,
    config::Config,
    federation::{dial::Reach, discovery::Discovery},
    keyring::{self, Keyring},
    port::Port,
    store::sled::KEEP_FREE_BYTES,
};

const SOON: Duration = Duration::from_hours(30 * 24);
const LONG: Duration = Duration::from_hours(3653 * 24);
const NETWORK_TIME: Duration = Duration::from_secs(5);
const LITTLE_SPACE: u64 = 1 << 30;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Bad,
}

/// One thing looked at.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    verdict: Verdict,
    text: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, what: &'static str, verdict: Verdict, text: impl Into<String>) {
        self.0.push(Finding { what, verdict, text: text.into() });
    }

    /// Good with this text, or bad with the error's.
    fn result<T>(&mut self, what: &'static str, result: Result<T>, good: impl Into<String>) -> Option<T> {
        match result {
            Ok(value) => {
                self.add(what, Verdict::Ok, good);
                Some(value)
            }
            Err(error) => {
                self.add(what, Verdict::Bad, output::sentence(&error));
                None
            }
        }
    }
}

/// Looks at everything; exit code 1 if anything is bad.
pub(super) async fn run(named: Option<&Path>, json: bool) -> Result<ExitCode> {
    let mut findings = Findings::default();
    if let Some(config) = findings.result("configuration", super::read_config(named), "it reads") {
        let running = socket::is_running(&config).await;
        findings.result("log", serve::filter(&config).map(drop), "its level can be understood");
        if data(&config, &mut findings) {
            keys(&config, &mut findings);
            descriptor(&config, &mut findings);
            certificate(&config, &mut findings);
            disk(&config, &mut findings);
            kept(&config, running, &mut findings).await;
        }
        peers(&config, &mut findings);
        media(&config, &mut findings);
        dns(&config, &mut findings).await;
        ports(&config, running, &mut findings).await;
    }
    let bad = findings.0.iter().any(|finding| finding.verdict == Verdict::Bad);
    if json {
        println!("{}", serde_json::to_string_pretty(&findings.0)?);
    } else {
        for Finding { what, verdict, text } in &findings.0 {
            let mark = match verdict {
                Verdict::Ok => "ok  ",
                Verdict::Warn => "WARN",
                Verdict::Bad => "BAD ",
            };
            println!("{mark}  {what}: {text}");
        }
    }
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Whether the folder of keys and store is there; all else is for nothing without it.
fn data(config: &Config, findings: &mut Findings) -> bool {
    let folder = config.data.display();
    match fs::metadata(&config.data) {
        Err(error) => {
            let text = format!(
                "{folder}: {error}; mount it, correct `data` in the configuration, or make a new server with `init`"
            );
            findings.add("data", Verdict::Bad, text);
            return false;
        }
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let text = format!("{folder} is open to others; run: chmod 700 {folder}");
            findings.add("data", Verdict::Warn, text);
        }
        Ok(_) => findings.add("data", Verdict::Ok, format!("{folder} is this server's alone")),
    }
    true
}

fn keys(config: &Config, findings: &mut Findings) {
    let keyring = Keyring::of(config);
    let mut files = keyring.secret_files();
    files.extend([config.store.key.clone(), config.public.key.clone()]);
    for file in files {
        let name = file.display();
        match fs::metadata(&file) {
            Err(error) => {
                findings.add("keys", Verdict::Bad, format!("{name}: {error}; put the copy of it back"));
            }
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                findings.add(
                    "keys",
                    Verdict::Bad,
                    format!("{name} can be read by others; run: chmod 600 {name}"),
                );
            }
            Ok(_) => findings.add("keys", Verdict::Ok, format!("{name}")),
        }
    }
    let root = keyring.root_file();
    if root.exists() {
        let text = format!("{} lies on the server; consider to keep it offline", root.display());
        findings.add("root key", Verdict::Warn, text);
    }
}

fn descriptor(config: &Config, findings: &mut Findings) {
    let keyring = Keyring::of(config);
    let loaded = keyring.load().map_err(Into::into);
    let Some(held) = findings.result("descriptor", loaded, "it is signed and belongs to the keys") else {
        return;
    };
    let Ok(described) = Descriptor::verify(&held.descriptor) else { return };
    // An expiry is said below.
    if clock::now() < described.not_before {
        findings.result("clock", serve::check_time(&described), "it is only a little slow");
    }
    expiry("descriptor", described.not_after, "run: conclave-server descriptor sign", findings);
    expiry("device CA", held.device_ca.not_after(), "run: conclave-server descriptor sign", findings);
    let differs = [
        (described.domain != config.domain.0, "the domain"),
        (described.jurisdiction != config.jurisdiction.0, "the jurisdiction"),
        (described.federation_endpoints != config.federation_endpoints(), "where the federation port is"),
        (described.relay_endpoints != config.relay_endpoints(), "where the relay is"),
        (described.federation_pins.first() != Some(&held.identity.spki()), "the federation key"),
    ];
    for (_, what) in differs.into_iter().filter(|(differs, _)| *differs) {
        let text = format!("{what} has changed since it was signed; run: conclave-server descriptor sign");
        findings.add("descriptor", Verdict::Bad, text);
    }
}

fn expiry(what: &'static str, end: Time, remedy: &str, findings: &mut Findings) {
    let left = end.since(clock::now());
    let days = left.as_secs() / 86_400;
    if left.is_zero() {
        findings.add(what, Verdict::Bad, format!("it has expired; {remedy}"));
    } else if left > LONG {
        findings.add(what, Verdict::Ok, "it is valid for more than ten years");
    } else if left < SOON {
        findings.add(what, Verdict::Warn, format!("it expires in {days} days; {remedy}"));
    } else {
        findings.add(what, Verdict::Ok, format!("it is valid for {days} days"));
    }
}

fn certificate(config: &Config, findings: &mut Findings) {
    let readable = serve::https(&config.public).map(drop);
    if findings.result("HTTPS certificate", readable, "it and its key belong together").is_none() {
        return;
    }
    let leaf = CertificateDer::from_pem_file(&config.public.certificate).ok();
    let Some(leaf) = leaf.and_then(|der| Certificate::from_der(&der).ok()) else {
        findings.add("HTTPS certificate", Verdict::Bad, "it is no X.509 certificate");
        return;
    };
    let tbs = &leaf.tbs_certificate;
    let end = tbs.validity.not_after.to_unix_duration();
    let end = Time::from_ms(u64::try_from(end.as_millis()).unwrap_or(u64::MAX));
    expiry("HTTPS certificate", end, "get a new one and restart the server", findings);
    let host = config.domain.host();
    if !names(&leaf).iter().any(|name| covers(name, host)) {
        findings.add("HTTPS certificate", Verdict::Bad, format!("it is not for {host}"));
    }
    if tbs.issuer == tbs.subject {
        let text = "it is self-signed: clients and other servers must be told to trust it";
        findings.add("HTTPS certificate", Verdict::Warn, text);
    }
}

fn names(certificate: &Certificate) -> Vec<String> {
    let found = certificate.tbs_certificate.get::<SubjectAltName>().ok().flatten();
    let names = found.map(|(_, names)| names.0).unwrap_or_default();
    let dns = |name| match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        _ => None,
    };
    names.into_iter().filter_map(dns).collect()
}

fn covers(name: &str, host: &str) -> bool {
    let wild =
        name.strip_prefix("*.").zip(host.split_once('.')).is_some_and(|(rest, (_, parent))| rest == parent);
    name.eq_ignore_ascii_case(host) || wild
}

fn peers(config: &Config, findings: &mut Findings) {
    let discovery = Discovery::new(&config.discovery.ca_files, Reach::Public);
    findings.result("discovery", discovery.map(drop).map_err(Into::into), "its certificate authorities read");
    for peer in &config.discovery.peers {
        let Some(file) = &peer.descriptor else { continue };
        let read = keyring::read_descriptor(file).map_err(anyhow::Error::from);
        let read = read.and_then(|signed| Ok(Descriptor::verify(&signed)?));
        let good = format!("the descriptor of {} is good", peer.domain);
        let Some(found) = findings.result("peers", read, good) else { continue };
        if found.domain != peer.domain.0 {
            findings.add("peers", Verdict::Bad, format!("{} is of {}", file.display(), found.domain));
        }
    }
}

fn disk(config: &Config, findings: &mut Findings) {
    match rustix::fs::statvfs(&config.data) {
        Err(error) => findings.add("disk", Verdict::Bad, format!("{}: {error}", config.data.display())),
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let (verdict, more) = match free {
                0..KEEP_FREE_BYTES => (Verdict::Bad, ": the server takes no writes until there is more"),
                KEEP_FREE_BYTES..LITTLE_SPACE => (Verdict::Warn, ", which is little"),
                _ => (Verdict::Ok, ""),
            };
            findings.add("disk", verdict, format!("{} MiB are free{more}", free >> 20));
        }
    }
}

async fn kept(config: &Config, running: bool, findings: &mut Findings) {
    if running {
        findings.add("store", Verdict::Ok, "the running server has it open");
        return;
    }
    if !config.store.folder.exists() {
        findings.add("store", Verdict::Warn, "there is none yet; the first command that needs it makes it");
        return;
    }
    let opened = act::open_store(config).await;
    if let Some(store) = findings.result("store", opened, "every record in it is whole") {
        store.close().await;
    }
}

fn media(config: &Config, findings: &mut Findings) {
    for ip in serve::advertised(&config.media) {
        let told = format!("clients are told {ip} for media");
        if ip.is_loopback() && !is_this_machine(config.domain.host()) {
            let text = format!("{told}, which only this machine reaches; set media.advertise");
            findings.add("media", Verdict::Bad, text);
        } else if is_private(ip) {
            let text =
                format!("{told}, a private address; if clients come from outside, set media.advertise");
            findings.add("media", Verdict::Warn, text);
        } else {
            findings.add("media", Verdict::Ok, told);
        }
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

async fn dns(config: &Config, findings: &mut Findings) {
    let host = config.domain.host();
    if is_this_machine(host) {
        findings.add("DNS", Verdict::Ok, format!("{host} is this machine"));
        return;
    }
    let looked_up = tokio::time::timeout(NETWORK_TIME, lookup_host((host, config.domain.port()))).await;
    match looked_up.map(|found| found.map(Iterator::count)) {
        Ok(Ok(count)) if count > 0 => {
            findings.add("DNS", Verdict::Ok, format!("{host} has {count} addresses"));
        }
        _ => findings.add(
            "DNS",
            Verdict::Bad,
            format!("{host} cannot be resolved; nobody will find this server"),
        ),
    }
}

async fn ports(config: &Config, running: bool, findings: &mut Findings) {
    let public = config.public.listen;
    if public.port() != config.domain.port() {
        let text = format!(
            "the domain says {}, public.listen says {}: something must forward it",
            config.domain.port(),
            public.port()
        );
        findings.add("ports", Verdict::Warn, text);
    }
    for (setting, address) in [("public.listen", public), ("federation.listen", config.federation.listen)] {
        let (outcome, good) = if running {
            let answer = connect(address).await;
            (answer.map_err(|error| Port { setting, address, error }), "answers")
        } else {
            (serve::bind(address, setting).await.map(drop), "is free")
        };
        let good = format!("{setting} {address} (TCP) {good}");
        findings.result("ports", outcome.map_err(Into::into), good);
    }
    if running {
        return;
    }
    for (setting, address) in [("relay.listen", config.relay.listen), ("media.listen", config.media.listen)] {
        let outcome = UdpSocket::bind(address).await.map(drop);
        let outcome = outcome.map_err(|error| Port { setting, address, error }.into());
        findings.result("ports", outcome, format!("{setting} {address} (UDP) is free"));
    }
}

async fn connect(mut address: SocketAddr) -> std::io::Result<()> {
    if address.ip().is_unspecified() {
        let local =
            if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        address.set_ip(local);
    }
    tokio::time::timeout(NETWORK_TIME, TcpStream::connect(address)).await??;
    Ok(())
}
