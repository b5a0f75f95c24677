//! A [`Store`] out of an engine: seals values, checks conditions, groups commits, and knows what must be there.
//!
//! One thread writes. What arrives while it writes forms the next group: one atomic engine write, one sync. Each group also
//! writes the *state*: a count of groups, a count of records and the sum of their tags. Engines lose things silently
//! (sled forgets a cut tail), so opening reads every record and compares it with the state, and the state with the
//! *witness* that the engine keeps outside of its own data.

use std::{
    collections::HashMap,
    sync::Arc,
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{
    Batch, Error, Expect, Range, Record, Result, Store, Visit, Watch,
    envelope::{self, DataKey, Sealer},
    watch::Watches,
};

/// Where the state lies; no other key begins with a zero.
const STATE: &[u8] = b"\0state";
const STATE_BYTES: usize = 8 + 8 + 16;
const WAITING_BATCHES: usize = 4096;
const CHANGES_PER_GROUP: usize = 4096;
const RECORDS_PER_READ: usize = 1024;

/// An ordered map of bytes on some medium.
pub(super) trait Engine: Send + Sync + 'static {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// At most `limit` records of a range, in its order.
    fn scan(&self, range: &Range, limit: usize) -> Result<Vec<Record>>;

    /// Makes all changes or none; they are on the medium when it returns.
    fn write(&self, changes: HashMap<Vec<u8>, Option<Vec<u8>>>) -> Result<()>;

    /// The last number noted, zero if none was.
    fn witness(&self) -> Result<u64>;

    /// Notes the number of a group that is on the medium, outside of the data proper. Survives the process, and is
    /// synced now and then.
    fn note(&self, group: u64) -> Result<()>;
}

/// What must be there.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct State {
    groups: u64,
    records: u64,
    sum: u128,
}

impl State {
    fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(STATE_BYTES);
        bytes.extend_from_slice(&self.groups.to_be_bytes());
        bytes.extend_from_slice(&self.records.to_be_bytes());
        bytes.extend_from_slice(&self.sum.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (groups, rest) = bytes.split_first_chunk()?;
        let (records, rest) = rest.split_first_chunk()?;
        let sum = rest.try_into().ok()?;
        Some(Self {
            groups: u64::from_be_bytes(*groups),
            records: u64::from_be_bytes(*records),
            sum: u128::from_be_bytes(sum),
        })
    }

    fn replace(&mut self, old: Option<&[u8]>, new: Option<&[u8]>) {
        for sealed in [old, new].into_iter().flatten() {
            self.sum ^= envelope::tag(sealed);
        }
        self.records = self.records.wrapping_add(new.map_or(0, |_| 1)).wrapping_sub(old.map_or(0, |_| 1));
    }
}

/// What waits for the writer.
enum Job {
    Apply(Batch, Done),
    Export(Visit, Done),
}

type Done = oneshot::Sender<Result<()>>;

/// A store over an engine.
pub(super) struct SealedStore<E> {
    engine: Arc<E>,
    sealer: Arc<Sealer>,
    watches: Watches,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl<E: Engine> SealedStore<E> {
    /// Reads and checks everything, then starts the writer.
    pub(super) fn open(engine: E, key: &DataKey) -> Result<Self> {
        let sealer = Arc::new(Sealer::new(key));
        let state = verify(&engine, &sealer)?;
        let engine = Arc::new(engine);
        let watches = Watches::default();
        let (jobs, waiting) = mpsc::channel(WAITING_BATCHES);
        let writer = Writer {
            engine: engine.clone(),
            sealer: sealer.clone(),
            watches: watches.clone(),
            state,
            broken: None,
        };
        let writer = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(waiting))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { engine, sealer, watches, jobs: Mutex::new(Some(jobs)), writer: Mutex::new(Some(writer)) })
    }

    async fn hand_over(&self, job: impl FnOnce(Done) -> Job) -> Result<()> {
        let (done, outcome) = oneshot::channel();
        let jobs = self.jobs.lock().await.clone().ok_or(Error::Closed)?;
        jobs.send(job(done)).await.map_err(|_| Error::Closed)?;
        outcome.await.map_err(|_| Error::Closed)?
    }

    fn unseal(&self, key: &[u8], sealed: Vec<u8>) -> Result<Vec<u8>> {
        self.sealer.open(key, sealed).map_err(|_| unreadable(key))
    }
}

#[async_trait]
impl<E: Engine> Store for SealedStore<E> {
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.engine.get(key)?.map(|sealed| self.unseal(key, sealed)).transpose()
    }

    async fn scan(&self, range: Range, limit: usize) -> Result<Vec<Record>> {
        let records = self.engine.scan(&range, limit)?;
        records.into_iter().map(|(key, sealed)| Ok((key.clone(), self.unseal(&key, sealed)?))).collect()
    }

    async fn apply(&self, mut batch: Batch) -> Result<()> {
        for (key, value) in &mut batch.changes {
            assert!(key.first().is_some_and(|first| *first != 0), "keys begin with the byte of their area");
            if let Some(value) = value {
                *value = self.sealer.seal(key, value);
            }
        }
        self.hand_over(|done| Job::Apply(batch, done)).await
    }

    async fn export(&self, visit: Visit) -> Result<()> {
        self.hand_over(|done| Job::Export(visit, done)).await
    }

    fn watch(&self, prefix: &[u8]) -> Watch {
        self.watches.watch(prefix)
    }

    async fn close(&self) {
        drop(self.jobs.lock().await.take());
        if let Some(writer) = self.writer.lock().await.take() {
            // The writer ends once the last batch handed over is done.
            let _ended = tokio::task::spawn_blocking(move || writer.join()).await;
        }
        self.watches.close();
    }
}

/// The one that writes.
struct Writer<E> {
    engine: Arc<E>,
    sealer: Arc<Sealer>,
    watches: Watches,
    state: State,
    broken: Option<Error>,
}

/// What one group has decided so far.
struct Group {
    changes: HashMap<Vec<u8>, Option<Vec<u8>>>,
    state: State,
    answers: Vec<(Done, Result<()>)>,
}

impl Group {
    fn after(state: State) -> Self {
        Self { changes: HashMap::new(), state, answers: Vec::new() }
    }
}

impl<E: Engine> Writer<E> {
    fn run(mut self, mut waiting: mpsc::Receiver<Job>) {
        while let Some(first) = waiting.blocking_recv() {
            let mut group = Group::after(self.state);
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Apply(batch, done) => {
                        let answer = self.broken.clone().map_or_else(|| self.add(&mut group, batch), Err);
                        group.answers.push((done, answer));
                    }
                    Job::Export(visit, done) => {
                        self.finish(std::mem::replace(&mut group, Group::after(self.state)));
                        group.state = self.state;
                        let _nobody_waits = done.send(self.export(visit));
                    }
                }
                next = if group.changes.len() < CHANGES_PER_GROUP { waiting.try_recv().ok() } else { None };
            }
            self.finish(group);
        }
    }

    fn export(&self, mut visit: Visit) -> Result<()> {
        let total = self.state.records;
        each(&*self.engine, |key, sealed| {
            let value = self.sealer.open(key, sealed).map_err(|_| unreadable(key))?;
            visit(total, key, &value).map_err(|error| Error::Unavailable(error.to_string()))
        })
    }

    /// Takes a batch into the group if its conditions hold.
    fn add(&self, group: &mut Group, batch: Batch) -> Result<()> {
        for (key, expect) in &batch.conditions {
            let found = self.current(group, key)?.map(|sealed| self.sealer.open(key, sealed)).transpose();
            let holds = match (expect, found.map_err(|_| unreadable(key))?) {
                (Expect::Absent, found) => found.is_none(),
                (Expect::Value(value), found) => found.as_ref() == Some(value),
            };
            if !holds {
                return Err(Error::Changed);
            }
        }
        let olds: Vec<_> =
            batch.changes.iter().map(|(key, _)| self.current(group, key)).collect::<Result<_>>()?;
        for ((key, new), old) in batch.changes.into_iter().zip(olds) {
            // A key that one batch changes twice counts from what the first change made of it.
            let old = group.changes.get(&key).cloned().unwrap_or(old);
            group.state.replace(old.as_deref(), new.as_deref());
            group.changes.insert(key, new);
        }
        Ok(())
    }

    fn current(&self, group: &Group, key: &[u8]) -> Result<Option<Vec<u8>>> {
        group.changes.get(key).map_or_else(|| self.engine.get(key), |pending| Ok(pending.clone()))
    }

    /// Writes the group, then answers everyone in it.
    fn finish(&mut self, mut group: Group) {
        let keys: Vec<Vec<u8>> = group.changes.keys().cloned().collect();
        if !keys.is_empty() {
            group.state.groups += 1;
            group.changes.insert(STATE.to_vec(), Some(self.sealer.seal(STATE, &group.state.encode())));
            let written =
                self.engine.write(group.changes).and_then(|()| self.engine.note(group.state.groups));
            match written {
                Ok(()) => self.state = group.state,
                Err(error) => {
                    // Refused before anything was touched: the next group may try again. Otherwise the engine's memory
                    // and the disk may differ by now, and only a restart can tell.
                    if error != Error::Unavailable(NO_SPACE.to_owned()) {
                        tracing::error!(%error, "the store cannot write; restart the server once the disk is well");
                        self.broken = Some(error.clone());
                    }
                    for (_, answer) in &mut group.answers {
                        *answer = answer.clone().and(Err(error.clone()));
                    }
                }
            }
        }
        for (done, answer) in group.answers {
            let _nobody_waits = done.send(answer);
        }
        self.watches.notify(keys.iter().map(Vec::as_slice));
    }
}

/// How an engine says that it refused a write before touching anything.
pub(super) const NO_SPACE: &str = "the disk is nearly full; free some space, writing goes on by itself";

/// Reads everything and compares it with the state and the witness.
fn verify<E: Engine>(engine: &E, sealer: &Sealer) -> Result<State> {
    let witness = engine.witness()?;
    let Some(value) = engine.get(STATE)? else {
        let empty = witness == 0 && engine.scan(&Range::all(), 1)?.is_empty();
        return if empty {
            Ok(State::default())
        } else {
            Err(Error::Damaged("its state is missing".to_owned()))
        };
    };
    let Ok(state) = sealer.open(STATE, value) else { return Err(wrong_key_or_damage(engine, sealer)?) };
    let state =
        State::decode(&state).ok_or_else(|| Error::Damaged("its state has a wrong form".to_owned()))?;
    if state.groups < witness {
        return Err(Error::Damaged(format!("the last {} writes are missing", witness - state.groups)));
    }
    let mut found = State { groups: state.groups, ..State::default() };
    each(engine, |key, value| {
        found.replace(None, Some(&value));
        sealer.open(key, value).map(drop).map_err(|_| unreadable(key))
    })?;
    if found == state {
        Ok(state)
    } else {
        let (is, should) = (found.records, state.records);
        Err(Error::Damaged(format!(
            "it holds {is} records where {should} were written, or older ones of them"
        )))
    }
}

/// Every record of an engine but the state, as it is sealed.
fn each<E: Engine>(engine: &E, mut visit: impl FnMut(&[u8], Vec<u8>) -> Result<()>) -> Result<()> {
    let mut range = Range::all();
    loop {
        let records = engine.scan(&range, RECORDS_PER_READ)?;
        let Some((last, _)) = records.last() else { return Ok(()) };
        range = range.after(last.clone());
        for (key, sealed) in records {
            visit(&key, sealed)?;
        }
    }
}

fn wrong_key_or_damage<E: Engine>(engine: &E, sealer: &Sealer) -> Result<Error> {
    let some = engine.scan(&Range::all(), 16)?;
    let opens = some.into_iter().any(|(key, sealed)| sealer.open(&key, sealed).is_ok());
    Ok(if opens { unreadable(STATE) } else { Error::WrongKey })
}

/// Names the area of a record that does not open, not the record: keys hold names.
fn unreadable(key: &[u8]) -> Error {
    Error::Damaged(format!(
        "a record of area {:#04x} does not open",
        key.first().copied().unwrap_or_default()
    ))
}
