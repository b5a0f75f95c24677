//! `init`: a new server, in one folder.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use conclave_core::identity::{
    address::Domain,
    descriptor::{Descriptor, Jurisdiction},
};
use serde_json::json;

use super::{cli::Init, descriptor::make_or_read};
use crate::{
    clock,
    config::{self, Config},
    keyring::Keyring,
    secret_file,
};

/// What the new configuration is made from.
const EXAMPLE: &str = include_str!("../../config.example.toml");

pub(super) fn run(options: &Init, named: Option<&Path>, json: bool) -> Result<()> {
    let domain = Domain::parse(&options.domain)?;
    let file = named.map_or_else(|| options.dir.join(config::FILE_NAME), Path::to_owned);
    let written = file.exists();
    if written && named.is_none() {
        bail!(
            "there is {} already; nothing was changed. To make keys for it, name it with --config",
            file.display()
        );
    }
    if !written {
        write_configuration(options, &domain, &file)?;
    }
    let config = Config::read(&file)?;
    if config.domain.0 != domain {
        bail!("{} is for {}, not for {domain}; nothing was changed", file.display(), config.domain);
    }
    let keyring = Keyring::of(&config);
    if config.data.join("keys").exists() {
        bail!("there are keys in {} already; nothing was changed", config.data.display());
    }
    make_folder(&config.data)?;
    make_folder(&config.data.join("keys"))?;
    let root_file = options.offline_root.clone().unwrap_or_else(|| keyring.root_file());
    let root = make_or_read(&root_file)?;
    keyring.create()?;
    Keyring::create_store_key(&config.store.key)?;
    if !config.public.certificate.exists() {
        keyring.create_public(&config.public.certificate, &config.public.key)?;
    }
    let signed = keyring.sign(&config, &root, clock::now())?;
    let fingerprint = Descriptor::verify(&signed)?.root.fingerprint().to_string();
    if json {
        let value = json!({
            "domain": domain.to_string(), "config": file, "root": fingerprint, "root_key": root_file,
            "certificate": config.public.certificate,
        });
        println!("{}", serde_json::to_string_pretty(&value)?);
    } else {
        explain(options, &domain, &file, &root_file, &fingerprint);
    }
    Ok(())
}

fn write_configuration(options: &Init, domain: &Domain, file: &Path) -> Result<()> {
    if let Some(jurisdiction) = &options.jurisdiction {
        Jurisdiction::parse(jurisdiction)
            .ok()
            .context("--jurisdiction must be two capital letters, as in CH")?;
    }
    let text = configuration(options, domain)?;
    Config::parse(file, &text)?;
    make_folder(file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    secret_file::create(file, text.as_bytes()).with_context(|| format!("writing {}", file.display()))
}

fn explain(options: &Init, domain: &Domain, file: &Path, root_file: &Path, fingerprint: &str) {
    println!("The server of {domain} is made.\n");
    println!("Its root key's fingerprint, by which other operators recognise it:\n\n    {fingerprint}\n");
    if options.offline_root.is_some() {
        println!(
            "The root key is in {}: take it away. It is needed to sign descriptors only.",
            root_file.display()
        );
    } else {
        println!("The root key is in {}: consider to move it to a medium", root_file.display());
        println!("that you take away; `descriptor sign --root FILE` reads it from there.");
    }
    if options.certificate.is_none() {
        println!(
            "The HTTPS certificate is self-signed: put a real one in its place, or clients must be told to trust it."
        );
    }
    let config = file.display();
    println!("\nNext:\n    conclave-server --config {config} user add NAME");
    println!("    conclave-server --config {config} check\n    conclave-server --config {config} serve");
}

/// The example with what was said in place of its defaults; its comments stay.
fn configuration(options: &Init, domain: &Domain) -> Result<String> {
    let defaults = Config::of(domain.clone());
    let listen = |default: SocketAddr, port: Option<u16>| {
        let address = options.listen.unwrap_or(default.ip());
        quoted(&SocketAddr::new(address, port.unwrap_or(default.port())))
    };
    let mut public = defaults.public.listen;
    public.set_port(domain.port());
    let absolute = |path: &PathBuf| -> Result<String> {
        let path = fs::canonicalize(path).with_context(|| format!("there is no {}", path.display()))?;
        Ok(quoted(&path.display()))
    };
    let mut text = EXAMPLE.to_owned();
    let mut set = |table: &str, key: &str, value: String| -> Result<()> {
        text = replaced(&text, table, key, &value)
            .context("a fault of this program: the example lacks a key")?;
        Ok(())
    };
    set("", "domain", quoted(domain))?;
    if let Some(jurisdiction) = &options.jurisdiction {
        set("", "jurisdiction", quoted(jurisdiction))?;
    }
    set("public", "listen", listen(public, options.http_port))?;
    if let (Some(certificate), Some(key)) = (&options.certificate, &options.key) {
        set("public", "certificate", absolute(certificate)?)?;
        set("public", "key", absolute(key)?)?;
    }
    set("federation", "listen", listen(defaults.federation.listen, options.federation_port))?;
    set("relay", "listen", listen(defaults.relay.listen, options.relay_port))?;
    set("media", "listen", listen(defaults.media.listen, options.media_port))?;
    set("discovery", "allow_private", options.allow_private.to_string())?;
    // They may be made later, as when two servers are told to trust each other.
    let ca_files: Result<Vec<_>> =
        options.ca_files.iter().map(|path| Ok(quoted(&std::path::absolute(path)?.display()))).collect();
    set("discovery", "ca_files", format!("[{}]", ca_files?.join(", ")))?;
    Ok(text)
}

/// The text with another value for one key of one table.
fn replaced(text: &str, table: &str, key: &str, value: &str) -> Option<String> {
    let (mut here, mut found) = (table.is_empty(), false);
    let start = format!("{key} = ");
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            here = line == format!("[{table}]");
        }
        if here && line.starts_with(&start) {
            found = true;
            lines.push(format!("{start}{value}"));
        } else {
            lines.push(line.to_owned());
        }
    }
    found.then(|| lines.join("\n") + "\n")
}

/// A TOML string.
fn quoted(value: &impl ToString) -> String {
    toml::Value::String(value.to_string()).to_string()
}

fn make_folder(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("making the folder {}", path.display()))
}
