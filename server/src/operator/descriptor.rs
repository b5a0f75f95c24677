//! `descriptor`: showing, signing and rotating what the server says of itself.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use conclave_core::identity::{descriptor::Descriptor, keys::SigningKey};
use conclave_proto::types::v1::SignedDescriptor;
use prost::Message as _;
use serde_json::json;

use super::{
    act::Act,
    cli::{DescriptorCommand, Root},
};
use crate::{
    audit, clock,
    config::Config,
    keyring::{self, Keyring},
    random, secret_file,
};

const RESTART: &str =
    "If the server runs, restart it now; other servers take the new descriptor up by themselves.";

pub(super) async fn run(config: &Config, command: DescriptorCommand, json: bool) -> Result<()> {
    let keyring = Keyring::of(config);
    let (what, signed) = match command {
        DescriptorCommand::Show { save } => return show(&keyring.descriptor()?, save, json),
        DescriptorCommand::Sign(root) => {
            ("descriptor sign", keyring.sign(config, &root_key(&keyring, root)?, clock::now())?)
        }
        DescriptorCommand::RotateFederation(root) => {
            // The root key first: without it the new federation key could not be told to anybody.
            let root = root_key(&keyring, root)?;
            keyring.rotate_federation()?;
            ("descriptor rotate-federation", keyring.sign(config, &root, clock::now())?)
        }
        DescriptorCommand::RotateRoot { old, new_root } => {
            let (old, new) = (root_key(&keyring, old)?, make_or_read(&new_root)?);
            ("descriptor rotate-root", keyring.rotate_root(config, &old, &new, clock::now())?)
        }
    };
    let descriptor = Descriptor::verify(&signed)?;
    let subject = format!("serial {} root {}", descriptor.serial, descriptor.root.fingerprint());
    super::perform(config, Act::Note { what: what.to_owned(), subject }).await?;
    show(&signed, None, json)?;
    if !json {
        println!("{RESTART}");
    }
    Ok(())
}

/// Reads a root key, or makes one where there is none.
pub(super) fn make_or_read(file: &Path) -> Result<SigningKey> {
    if !file.exists() {
        secret_file::write_new(file, &random::bytes())?;
    }
    Ok(keyring::read_key(file)?)
}

fn root_key(keyring: &Keyring, named: Root) -> Result<SigningKey> {
    let file = named.root.unwrap_or_else(|| keyring.root_file());
    keyring::read_key(&file).context("the root key signs; if you keep it offline, name it with --root FILE")
}

fn show(signed: &SignedDescriptor, save: Option<PathBuf>, json: bool) -> Result<()> {
    let descriptor = Descriptor::verify(signed)?;
    if let Some(file) = save {
        secret_file::create(&file, &signed.encode_to_vec())
            .with_context(|| format!("writing {}", file.display()))?;
    }
    let texts = |list: Vec<String>| list.join(", ");
    let strings = |list: &[_]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let federation = descriptor.federation_endpoints.iter().map(ToString::to_string).collect::<Vec<_>>();
    let relay = descriptor.relay_endpoints.iter().map(ToString::to_string).collect::<Vec<_>>();
    let pins = strings(&descriptor.federation_pins);
    let keys: Vec<_> = descriptor.signing_keys.iter().map(|key| key.key_id.clone()).collect();
    let (root, changes) = (descriptor.root.fingerprint().to_string(), signed.successions.len());
    if json {
        let value = json!({
            "domain": descriptor.domain.to_string(), "serial": descriptor.serial, "root": root,
            "root_changes": changes, "jurisdiction": descriptor.jurisdiction.to_string(),
            "not_before_ms": descriptor.not_before.as_ms(), "not_after_ms": descriptor.not_after.as_ms(),
            "federation": federation, "relay": relay, "federation_pins": pins, "signing_keys": keys,
        });
        println!("{}", serde_json::to_string_pretty(&value)?);
        return Ok(());
    }
    println!("domain        {}, serial {}", descriptor.domain, descriptor.serial);
    println!("root          {root}");
    if changes > 0 {
        println!("              vouched for by {changes} earlier roots");
    }
    println!("jurisdiction  {}", descriptor.jurisdiction);
    println!(
        "valid         {} to {}",
        audit::utc(descriptor.not_before.as_ms()),
        audit::utc(descriptor.not_after.as_ms())
    );
    println!("federation    {}", texts(federation));
    println!("relay         {}", texts(relay));
    for (place, pin) in pins.iter().enumerate() {
        println!("{}  {pin}", if place == 0 { "TLS key now " } else { "TLS key next" });
    }
    println!("signs with    {}", texts(keys));
    Ok(())
}
