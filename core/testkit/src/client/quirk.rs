//! Ways in which a simulated device can be wrong on purpose, to show that the checks of a run would notice.

use super::{ClientId, Said};

/// How a device is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// It never tells the first of its messages.
    LosesOne {
        /// Whether it has.
        lost: bool,
    },
    /// It tells each message twice.
    TellsTwice,
    /// It tells a message only after the next one.
    HoldsOneBack(Option<Said>),
    /// It gives its frame keys to another device, member or not.
    PassesKeysTo(ClientId),
}

impl Quirk {
    /// What it tells when a message came.
    pub(super) fn tells(&mut self, said: Said) -> Vec<Said> {
        match self {
            Self::LosesOne { lost } if !*lost => {
                *lost = true;
                Vec::new()
            }
            Self::TellsTwice => vec![said.clone(), said],
            Self::HoldsOneBack(held) => {
                if let Some(earlier) = held.take() {
                    return vec![said, earlier];
                }
                *held = Some(said);
                Vec::new()
            }
            Self::LosesOne { .. } | Self::PassesKeysTo(_) => vec![said],
        }
    }
}
