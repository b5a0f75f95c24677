//! What is remembered of each peer and what the operator decided about it.

use std::sync::{Arc, PoisonError, RwLock};

use conclave_core::{
    identity::{
        address::Domain,
        keys::Fingerprint,
        pins::{self, Change, Pins},
    },
    time::Time,
};
use conclave_proto::types::v1::SignedDescriptor;
use prost::Message;
use tracing::{info, warn};

use crate::store::{
    self, Batch,
    schema::{self, Area, Key},
};

/// Most peers read from the store.
const PEERS: usize = 100_000;

/// What the operator decided about a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Decision {
    /// Nothing: allowed if the server federates with everybody, else waiting.
    Undecided = 0,
    /// Allowed.
    Approved = 1,
    /// Not allowed.
    Blocked = 2,
}

/// A peer as it is stored.
#[derive(Clone, PartialEq, Message)]
pub struct PeerRecord {
    /// The last descriptor that was believed.
    #[prost(message, optional, tag = "1")]
    pub descriptor: Option<SignedDescriptor>,
    /// What the operator decided.
    #[prost(enumeration = "Decision", tag = "2")]
    pub decision: i32,
    /// SHA-256 of a root that the operator vouched for and that was not seen yet; empty if none.
    #[prost(bytes = "vec", tag = "3")]
    pub approved_root: Vec<u8>,
    /// A descriptor that was refused because its root is another one; for the operator to look at.
    #[prost(message, optional, tag = "4")]
    pub refused: Option<SignedDescriptor>,
    /// When the peer was first seen, Unix milliseconds.
    #[prost(uint64, tag = "5")]
    pub first_seen_ms: u64,
    /// When its descriptor was last fetched, Unix milliseconds.
    #[prost(uint64, tag = "6")]
    pub fetched_ms: u64,
}

/// Whether the server federates with those about whom nothing was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Openness {
    /// With everybody who is not blocked.
    Open,
    /// Only with those whom the operator approved.
    Approved,
}

/// All peers, as they are stored.
pub async fn list(store: &dyn store::Store) -> store::Result<Vec<(Domain, PeerRecord)>> {
    let records = schema::list(store, Key::area(Area::Peers).range(), PEERS).await?;
    let named = |(key, record): (Vec<u8>, PeerRecord)| {
        let name = String::from_utf8(key.get(1..key.len().saturating_sub(1))?.to_vec()).ok()?;
        Some((Domain::parse(&name).ok()?, record))
    };
    Ok(records.into_iter().filter_map(named).collect())
}

/// Writes down what the operator decided; a running server takes it up at once.
pub async fn decide(store: &dyn store::Store, domain: &Domain, decision: Decision) -> store::Result<()> {
    update(store, domain, |record| record.set_decision(decision)).await
}

/// The operator vouches for a root by its fingerprint (spec: IDN-18).
pub async fn approve_root(
    store: &dyn store::Store,
    domain: &Domain,
    root: &Fingerprint,
) -> store::Result<()> {
    update(store, domain, |record| record.approved_root = root.as_bytes().to_vec()).await
}

/// Changes one record; nothing that somebody else writes meanwhile is lost.
async fn update(
    store: &dyn store::Store,
    domain: &Domain,
    change: impl Fn(&mut PeerRecord),
) -> store::Result<()> {
    let key = schema::peer(domain.as_str());
    loop {
        let before = store.get(key.as_bytes()).await?;
        let decoded = before.as_deref().map(PeerRecord::decode).transpose();
        let mut record =
            decoded.map_err(|_| store::Error::Damaged("a peer's record".to_owned()))?.unwrap_or_default();
        change(&mut record);
        let batch = Batch::new().expect(key.clone(), before).put(key.clone(), record.encode_to_vec());
        match store.apply(batch).await {
            Err(store::Error::Changed) => {}
            done => return done,
        }
    }
}

/// The peers in memory; the store is always ahead of it or equal.
pub struct Book {
    store: store::Shared,
    openness: Openness,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    pins: Arc<Pins>,
    decisions: std::collections::HashMap<Domain, Decision>,
    keys: std::collections::HashMap<Fingerprint, Domain>,
}

impl State {
    fn index(&mut self) {
        let pins = &self.pins;
        let all = pins.iter().flat_map(|(domain, pin)| {
            pin.descriptor().federation_pins.iter().map(move |key| (*key, domain.clone()))
        });
        self.keys = all.collect();
    }
}

impl Book {
    /// Reads what is stored; `own` is this server's descriptor, pinned like any other.
    pub async fn open(
        store: store::Shared,
        openness: Openness,
        own: SignedDescriptor,
    ) -> Result<Self, OpenError> {
        let book = Self { store, openness, state: RwLock::default() };
        book.reload(Some(own)).await?;
        Ok(book)
    }

    /// Takes up what the operator changed.
    pub async fn reload(&self, own: Option<SignedDescriptor>) -> Result<(), OpenError> {
        let records = list(&*self.store).await?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut pins = (*state.pins).clone();
        if let Some(own) = own {
            pins.restore(own)?;
        }
        state.decisions.clear();
        for (domain, record) in records {
            state.decisions.insert(domain.clone(), record.decision());
            if let Ok(root) = Fingerprint::parse(&record.approved_root) {
                pins.approve(domain.clone(), root);
            }
            if let Some(descriptor) = record.descriptor
                && let Err(error) = pins.restore(descriptor)
            {
                warn!(peer = %domain, %error, "a stored descriptor cannot be read and is fetched anew");
            }
        }
        state.pins = Arc::new(pins);
        state.index();
        Ok(())
    }

    /// The pins as they are now.
    pub fn pins(&self) -> Arc<Pins> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner).pins)
    }

    /// Whose key it is, whatever was decided about them.
    pub fn owner_of(&self, key: &Fingerprint) -> Option<Domain> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).keys.get(key).cloned()
    }

    /// Whether the server federates with that domain (spec: FED-03).
    pub fn allows(&self, domain: &Domain) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match state.decisions.get(domain).copied().unwrap_or(Decision::Undecided) {
            Decision::Approved => true,
            Decision::Blocked => false,
            Decision::Undecided => self.openness == Openness::Open,
        }
    }

    /// Believes a fetched descriptor, or keeps it for the operator; durable on return.
    pub async fn accept(
        &self,
        fetched: &SignedDescriptor,
        domain: &Domain,
        now: Time,
    ) -> Result<Change, Error> {
        let judged = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let mut pins = (*state.pins).clone();
            pins.accept(fetched, now)
        };
        let wrong_root = matches!(judged, Err(pins::Error::SecondRoot { .. }));
        if wrong_root {
            warn!(peer = %domain, "a peer shows another root than the pinned one; compare it and approve it, or block the peer");
        }
        if judged.is_err() && !wrong_root {
            return judged.map_err(Error::Pins);
        }
        update(&*self.store, domain, |record| {
            if wrong_root {
                record.refused = Some(fetched.clone());
            } else {
                record.descriptor = Some(fetched.clone());
                record.refused = None;
                record.approved_root.clear();
                record.fetched_ms = now.as_ms();
            }
            if record.first_seen_ms == 0 {
                record.first_seen_ms = now.as_ms();
            }
        })
        .await?;
        let change = judged?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut state.pins).accept(fetched, now)?;
        state.index();
        if let (Change::First | Change::RootRotated, Some(pin)) = (change, state.pins.pin(domain)) {
            info!(peer = %domain, root = %pin.descriptor().root.fingerprint(), ?change, "a peer's root is pinned");
        }
        Ok(change)
    }
}

/// The peers cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The own descriptor is not good.
    #[error("this server's own descriptor: {0}")]
    Own(#[from] pins::Error),
}

/// A descriptor is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It contradicts what is pinned.
    #[error(transparent)]
    Pins(#[from] pins::Error),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
}
