//! What members are told beside the log: nobody keeps it, and whoever does not listen now misses it.

use conclave_proto::{
    client::v1::{Notice, notice},
    types::v1::{ServerSigned, Signed},
};

use crate::identity::address::DeviceUri;

use super::{attendance::Attendance, submission::Submission};

/// Something that is told and not logged.
#[derive(Clone, Debug, PartialEq)]
pub enum Aside {
    /// A member says something in passing: a submission of that kind, as its device signed it (spec: LOG-19).
    Passing(Signed),
    /// A domain says whether its device can be reached, as it signed it (spec: LOG-20).
    Attendance(ServerSigned),
}

impl Aside {
    /// The device that need not be told, since it said it or is what is told of.
    pub(super) fn subject(&self) -> Option<DeviceUri> {
        match self {
            Self::Passing(signed) => Submission::read(signed).ok().map(|submission| submission.device),
            Self::Attendance(signed) => Attendance::claimed_device(signed),
        }
    }

    /// As devices get it.
    pub(super) fn notice(self) -> Notice {
        let notice = match self {
            Self::Passing(signed) => notice::Notice::Passing(signed),
            Self::Attendance(signed) => notice::Notice::Attendance(signed),
        };
        Notice { notice: Some(notice) }
    }
}
