//! The keys that others seal invitations with: made anew every week, told under certificates that are valid.

use conclave_proto::{client::v1 as api, types::v1 as types};
use prost::Message;

use super::{
    Device, Error,
    account::Account,
    command::RequestId,
    event::{Done, Event},
    outbox::Pending,
    path, stored,
};
use crate::{
    identity::{
        address::UserKind,
        sealing::{SealingKeyPair, Suite},
    },
    limits,
    time::Time,
};

/// How many keys are kept: what was sealed with the one before may still be on its way.
const KEPT: usize = 2;

/// The own sealing keys, and whether the home server has the newest.
#[derive(Default)]
pub(super) struct SealingKeys {
    keys: stored::Sealings,
    /// When to publish again at the earliest.
    after: Option<Time>,
}

impl SealingKeys {
    /// From the profile.
    pub(super) fn restore(&mut self, value: &[u8]) {
        self.keys = stored::Sealings::decode(value).unwrap_or_default();
    }

    /// The seeds, the newest first.
    pub(super) fn seeds(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.keys.iter().rev().map(|key| key.seed.as_slice())
    }

    /// None is left.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn newest(&self, now: Time) -> Option<&stored::Sealing> {
        self.keys.keys.last().filter(|key| now < Time::from_ms(key.made_ms) + limits::SEALING_KEY_RENEWAL)
    }

    /// When a key is to be published under the certificates of this account: at once if the server has none under them.
    fn due(&self, account: &Account) -> Option<Time> {
        if account.uri.user().kind() == UserKind::Guest {
            // Nobody sends a guest invitations.
            return None;
        }
        let is_told = self.keys.certified_ms == account.validity.0.as_ms();
        let renewal =
            self.keys.keys.last().filter(|_| is_told).map_or(Time::from_ms(0), |newest| {
                Time::from_ms(newest.made_ms) + limits::SEALING_KEY_RENEWAL
            });
        Some(self.after.map_or(renewal, |after| renewal.max(after)))
    }
}

impl Device {
    /// When a sealing key is to be published.
    pub(super) fn sealing_key_due(&self) -> Option<Time> {
        self.account.as_ref().and_then(|account| self.sealing.due(account))
    }

    /// Publishes what is due (spec: IDN-33).
    pub(super) fn sealing_key_tick(&mut self, now: Time) {
        if self.sealing_key_due().is_some_and(|due| now >= due)
            && let Err(error) = self.publish_sealing_key(now, None)
        {
            tracing::warn!(%error, "no sealing key could be made");
        }
    }

    /// Publishes the newest sealing key, or a new one, whose secret is kept before.
    pub(super) fn publish_sealing_key(&mut self, now: Time, request: Option<RequestId>) -> Result<(), Error> {
        self.sealing.after = Some(now + limits::RENEWAL_RETRY);
        if self.sealing.newest(now).is_none() {
            let seed = self.random::<32>().to_vec();
            let keys = &mut self.sealing.keys.keys;
            keys.push(stored::Sealing { seed, made_ms: now.as_ms() });
            keys.drain(..keys.len().saturating_sub(KEPT));
            self.persist_sealing_keys();
        }
        let account = self.account.as_ref().ok_or(Error::NotSignedIn)?;
        let key = self.sealing.newest(now).ok_or(Error::Malformed)?;
        let seed = key.seed.as_slice().try_into().map_err(|_| Error::Malformed)?;
        let not_after = Time::from_ms(key.made_ms) + limits::SEALING_KEY_LIFETIME;
        let pair = SealingKeyPair::from_seed(Suite::default(), seed)?;
        let signed = types::DeviceSigned {
            signed: Some(pair.publish(&account.uri, not_after, &account.key)),
            certificate_chain: account.chain.certificates().to_vec(),
        };
        let certified = account.validity.0;
        let message = api::PublishSealingKeyRequest { sealing_key: Some(signed) };
        self.out.call(path::PUBLISH_SEALING_KEY, &message, Pending::SealingKey { request, certified });
        Ok(())
    }

    /// The server has the newest key, under the certificates that began then.
    pub(super) fn sealing_key_published(&mut self, request: Option<RequestId>, certified: Time) {
        self.sealing.after = None;
        self.sealing.keys.certified_ms = certified.as_ms();
        self.persist_sealing_keys();
        if let (Some(request), Some(account)) = (request, &self.account) {
            let result = Ok(Done::SignedIn(account.uri.clone()));
            self.out.event(Event::Done { request, result });
        }
    }

    fn persist_sealing_keys(&mut self) {
        self.out.persist(stored::SEALING, Some(self.sealing.keys.encode_to_vec()));
    }
}

const _: () = assert!(
    limits::SEALING_KEY_RENEWAL.as_secs() * KEPT as u64 >= limits::SEALING_KEY_LIFETIME.as_secs(),
    "secrets are kept until their keys' end of use"
);
