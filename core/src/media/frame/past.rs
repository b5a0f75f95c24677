//! What was seen in epochs whose keys are forgotten: a void commit leads back to them, and old frames must not be new there.

use std::collections::{HashMap, VecDeque};

use super::{keys::Mark, window::Window};
use crate::limits;

/// As far back as commits can be void.
const EPOCHS: usize = limits::UNCONFIRMED_COMMITS + 1;

/// The windows of each key id.
pub(super) type Windows = HashMap<u64, Window>;

/// Left epochs, the last one at the end.
#[derive(Default)]
pub(super) struct Past(VecDeque<(Mark, Windows)>);

impl Past {
    /// An epoch is forgotten but for this.
    pub(super) fn keep(&mut self, epoch: Mark, windows: Windows) {
        if self.0.len() >= EPOCHS {
            self.0.pop_front();
        }
        self.0.push_back((epoch, windows));
    }

    /// An epoch is entered, perhaps again.
    pub(super) fn take(&mut self, epoch: &Mark) -> Windows {
        let at = self.0.iter().position(|(mark, _)| mark == epoch);
        at.and_then(|at| self.0.remove(at)).map(|(_, windows)| windows).unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
