//! A bad network that is the same on every run: it loses, delays and duplicates, and can be cut.

use std::{collections::BTreeSet, time::Duration};

use conclave_core::identity::address::Domain;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// How many of a thousand messages are lost; on a stream, that breaks it.
    pub loss: u32,
    /// How many of a thousand calls come twice.
    pub duplication: u32,
    /// The shortest delay.
    pub delay: Duration,
    /// By how much a delay may be longer.
    pub jitter: Duration,
}

impl Conditions {
    /// Nothing is lost, and everything takes ten milliseconds.
    pub const GOOD: Self =
        Self { loss: 0, duplication: 0, delay: Duration::from_millis(10), jitter: Duration::ZERO };
    /// Much is lost, late, or comes twice.
    pub const BAD: Self = Self {
        loss: 30,
        duplication: 50,
        delay: Duration::from_millis(5),
        jitter: Duration::from_millis(300),
    };
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// A device.
    Client(usize),
    /// A home server.
    Server(Domain),
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is lost.
    Lost,
    /// It comes after this time.
    Comes(Duration),
    /// It comes twice.
    Twice(Duration, Duration),
}

/// The network.
#[derive(Debug)]
pub struct Link {
    conditions: Conditions,
    cut: BTreeSet<(End, End)>,
    rng: ChaCha20Rng,
}

impl Link {
    /// A network whose accidents follow from the seed.
    pub fn new(seed: [u8; 32], conditions: Conditions) -> Self {
        Self { conditions, cut: BTreeSet::new(), rng: ChaCha20Rng::from_seed(seed) }
    }

    /// It gets better or worse.
    pub const fn change(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// Nothing passes between these two any more.
    pub fn cut(&mut self, one: End, other: End) {
        self.cut.insert(pair(one, other));
    }

    /// Everything passes again.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// Whether nothing passes between these two.
    pub fn is_cut(&self, one: &End, other: &End) -> bool {
        self.cut.contains(&pair(one.clone(), other.clone()))
    }

    /// What becomes of a message from one to the other.
    pub fn fate(&mut self, from: &End, to: &End) -> Fate {
        let (lost, twice) = (self.chance(self.conditions.loss), self.chance(self.conditions.duplication));
        let (first, second) = (self.delay(), self.delay());
        if lost || self.is_cut(from, to) {
            Fate::Lost
        } else if twice {
            Fate::Twice(first, second)
        } else {
            Fate::Comes(first)
        }
    }

    /// How long something takes.
    pub fn delay(&mut self) -> Duration {
        let most = u32::try_from(self.conditions.jitter.as_millis()).unwrap_or(u32::MAX);
        let more = if most == 0 { 0 } else { self.rng.next_u32() % most };
        self.conditions.delay + Duration::from_millis(more.into())
    }

    fn chance(&mut self, of_a_thousand: u32) -> bool {
        self.rng.next_u32() % 1_000 < of_a_thousand
    }
}

fn pair(one: End, other: End) -> (End, End) {
    if one <= other { (one, other) } else { (other, one) }
}
