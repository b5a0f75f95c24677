//! One stream of one session's log, to a device or to another server, at the reader's own pace.
//!
//! The meeting tells the stream what only the meeting knows, in notes; entries come from the journal. So a slow reader costs no
//! memory and delays nobody (R13).

use conclave_core::{
    limits,
    meeting::watch::{Note, Reader, Step, What},
};
use tokio::{sync::mpsc, time::timeout};

use super::journal::{self, Stretch};
use crate::refusal::Refusal;

/// Notes that may wait for a reader before it is cut.
pub const NOTES: usize = 64;

/// Tells a reader what it may miss; half of the places are kept for what it must not.
pub fn tell_in_passing<T>(notes: &mpsc::Sender<Note<T>>, after: u64, item: T) {
    if notes.capacity() > NOTES / 2 {
        let _missed = notes.try_send(Note { after, what: What::Item(item) });
    }
}

/// Where a stream's items go.
pub type Outlet<T> = mpsc::Sender<Result<T, Refusal>>;

/// One running stream.
pub struct Watcher<T, F> {
    journal: journal::Shared,
    reader: Reader<T>,
    inbox: mpsc::Receiver<Note<T>>,
    outlet: Outlet<T>,
    /// Makes an item of a stretch of the log.
    wrap: F,
}

/// The reader is not there any more, or has had its last item.
struct Ended;

impl<T: Send, F: Fn(Stretch) -> T + Send> Watcher<T, F> {
    /// A stream that starts at `cursor`, or with notes alone.
    pub const fn new(
        journal: journal::Shared,
        cursor: Option<u64>,
        inbox: mpsc::Receiver<Note<T>>,
        outlet: Outlet<T>,
        wrap: F,
    ) -> Self {
        Self { journal, reader: Reader::new(cursor), inbox, outlet, wrap }
    }

    /// Runs until the reader goes, stops reading, or the meeting says so.
    pub async fn run(mut self) {
        let mut tip = self.journal.tip();
        loop {
            let end = *tip.borrow_and_update();
            // Notes are written before what they are about becomes visible: the last one may end the log for this reader.
            while let Ok(note) = self.inbox.try_recv() {
                self.reader.note(note);
            }
            match self.step(end).await {
                Err(Ended) => return,
                Ok(true) => continue,
                Ok(false) => {}
            }
            tokio::select! {
                note = self.inbox.recv() => {
                    let Some(note) = note else { break };
                    self.reader.note(note);
                }
                changed = tip.changed() => if changed.is_err() { return },
                () = self.outlet.closed() => return,
            }
        }
        // The meeting has gone: what it left to say is still said.
        let end = *tip.borrow_and_update();
        while let Ok(true) = self.step(end).await {}
    }

    /// Hands out one thing; says whether there was one.
    async fn step(&mut self, tip: u64) -> Result<bool, Ended> {
        let step = match self.reader.step(tip) {
            Step::Read { next, limit } => {
                if self.hand_out_entries(next, limit).await? {
                    return Ok(true);
                }
                self.reader.nothing_there(tip)
            }
            step => step,
        };
        match step {
            Step::Hand(item) => self.send(Ok(item)).await.map(|()| true),
            Step::End(item) => {
                if let Some(item) = item {
                    self.send(Ok(item)).await?;
                }
                Err(Ended)
            }
            Step::Wait | Step::Read { .. } => Ok(false),
        }
    }

    async fn hand_out_entries(&mut self, next: u64, limit: Option<u64>) -> Result<bool, Ended> {
        let stretch = match self.journal.read(next, limit).await {
            Ok(stretch) => stretch,
            Err(error) => {
                tracing::error!(%error, "a session's log cannot be read");
                let _ = self.send(Err(Refusal::UNAVAILABLE)).await;
                return Err(Ended);
            }
        };
        if stretch.entries.is_empty() {
            return Ok(false);
        }
        self.reader.handed_out(stretch.entries.len());
        let item = (self.wrap)(stretch);
        self.send(Ok(item)).await?;
        Ok(true)
    }

    async fn send(&self, item: Result<T, Refusal>) -> Result<(), Ended> {
        match timeout(limits::SLOW_READER, self.outlet.send(item)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ended),
        }
    }
}
