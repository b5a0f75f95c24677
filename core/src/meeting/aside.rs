//! What members are told beside the log: nobody keeps it, and whoever does not listen now misses it.

use conclave_proto::{
    client::v1::{Notice, notice},
    types::v1::Signed,
};

use crate::identity::address::DeviceUri;

use super::submission::Submission;

/// Something that is told and not logged.
#[derive(Clone, Debug, PartialEq)]
pub enum Aside {
    /// A member says something in passing: a submission of that kind, as its device signed it (spec: LOG-19).
    Passing(Signed),
}

impl Aside {
    /// The device that need not be told, since it said it.
    pub(super) fn author(&self) -> Option<DeviceUri> {
        match self {
            Self::Passing(signed) => Submission::read(signed).ok().map(|submission| submission.device),
        }
    }

    /// As devices get it.
    pub(super) fn notice(self) -> Notice {
        let notice = match self {
            Self::Passing(signed) => notice::Notice::Passing(signed),
        };
        Notice { notice: Some(notice) }
    }
}
