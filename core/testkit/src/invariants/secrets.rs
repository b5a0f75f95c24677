//! Secrets of devices, and whether they lie on a server's disk.

use std::collections::HashSet;

use prost::Message as _;

use crate::{client::Client, home_server::disk::Disk};

/// Bytes by which a secret is recognised.
const MARK: usize = 16;

/// Of what a device keeps in its profile, the secret parts.
#[derive(Clone, PartialEq, prost::Message)]
struct Account {
    #[prost(bytes = "vec", tag = "1")]
    seed: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Sealings {
    #[prost(message, repeated, tag = "1")]
    keys: Vec<Account>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Meeting {
    #[prost(bytes = "vec", tag = "3")]
    link_secret: Vec<u8>,
}

/// The secrets in a device's profile: its keys' seeds and its link secrets.
pub fn secrets_of(client: &Client) -> Vec<Vec<u8>> {
    let mut secrets = Vec::new();
    for (key, value) in client.profile() {
        match key.as_str() {
            "account" => secrets.extend(Account::decode(value.as_slice()).map(|account| account.seed)),
            "sealing" => {
                let sealings = Sealings::decode(value.as_slice()).unwrap_or_default();
                secrets.extend(sealings.keys.into_iter().map(|key| key.seed));
            }
            key if key.starts_with("meeting/") => {
                secrets.extend(Meeting::decode(value.as_slice()).map(|meeting| meeting.link_secret));
            }
            _ => {}
        }
    }
    secrets.retain(|secret| secret.len() >= MARK);
    secrets
}

/// Whether one of the secrets lies in a log, an invitation or a record there.
pub(super) fn found(disk: &Disk, secrets: &[Vec<u8>]) -> bool {
    let marks: HashSet<&[u8]> = secrets.iter().map(|secret| &secret[..MARK]).collect();
    let hosted = disk.hosted.values().flat_map(|hosted| hosted.sessions.values());
    let mirrored = disk.mirrored.values().flat_map(|mirrored| mirrored.sessions.values());
    let logs = hosted.chain(mirrored).flat_map(|session| &session.log.0);
    let records = disk.hosted.values().map(|hosted| hosted.record.signed().encode_to_vec());
    let sealed = disk.invitations.values().flatten().chain(&disk.outbox);
    let texts = logs
        .map(|stored| stored.entry.to_bytes())
        .chain(records)
        .chain(sealed.map(prost::Message::encode_to_vec))
        .chain(disk.sealing_keys.values().map(prost::Message::encode_to_vec));
    texts.into_iter().any(|text| text.windows(MARK).any(|window| marks.contains(window)))
}
