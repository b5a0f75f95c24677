//! A domain's word that it takes out its own user or device, and how much of it is taken out.

use conclave_proto::types::v1::{Withdraw, WithdrawBasis};

use super::{doors::Departure, submission::Error};
use crate::{
    identity::address::{DeviceUri, Domain, UserAddress},
    ids::{Sequence, SubmissionId},
};

/// Whom a Withdraw names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One device.
    Device(DeviceUri),
    /// All devices of a user.
    User(UserAddress),
}

impl Subject {
    /// From its text.
    pub fn parse(text: &str) -> Option<Self> {
        DeviceUri::parse(text).map(Self::Device).or_else(|_| UserAddress::parse(text).map(Self::User)).ok()
    }

    /// Whether a device is meant.
    pub fn names(&self, device: &DeviceUri) -> bool {
        match self {
            Self::Device(this) => this == device,
            Self::User(user) => user == device.user(),
        }
    }

    /// Whose user it is.
    pub const fn domain(&self) -> &Domain {
        match self {
            Self::Device(device) => device.domain(),
            Self::User(user) => user.domain(),
        }
    }
}

/// A Withdraw, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Under which id it stands in the log.
    pub id: SubmissionId,
    /// Who is taken out.
    pub subject: Subject,
    /// Only the presence that began with this commit; none: all that the subject is and asked for.
    presence: Option<Sequence>,
}

impl Withdrawal {
    /// From its payload (spec: MTG-33).
    pub fn read(withdraw: &Withdraw) -> Result<Self, Error> {
        let id = SubmissionId::parse(&withdraw.submission_id).map_err(|_| Error::Malformed("id"))?;
        let subject = Subject::parse(&withdraw.subject).ok_or(Error::Malformed("subject"))?;
        let presence = (withdraw.entered_sequence > 0).then_some(Sequence(withdraw.entered_sequence));
        let lost = withdraw.basis() == WithdrawBasis::ConnectionLost;
        let one_device = matches!(subject, Subject::Device(_));
        if lost != presence.is_some() || (lost && !one_device) {
            return Err(Error::Malformed("presence"));
        }
        Ok(Self { id, subject, presence })
    }

    /// Who goes of these members, each with the commit by which it entered (0: not known), and of those at the door.
    pub fn departure<'a>(
        &self,
        members: impl Iterator<Item = (&'a DeviceUri, Sequence)>,
        waiting: impl Iterator<Item = &'a DeviceUri>,
    ) -> Departure {
        // MTG-33: a connection is lost by who was there. The device may be back at the door already, or in again: that stays.
        let lost =
            |entered: Sequence| self.presence.is_none_or(|presence| entered.0 == 0 || entered == presence);
        let gone = members.filter(|(device, entered)| self.subject.names(device) && lost(*entered));
        let gone = gone.map(|(device, _)| device);
        let asked = waiting.filter(|device| self.presence.is_none() && self.subject.names(device));
        Departure { devices: gone.chain(asked).cloned().collect(), joins_lapse: self.presence.is_none() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;

    fn withdraw(subject: &str, basis: WithdrawBasis, entered_sequence: u64) -> Withdraw {
        let submission_id = vec![1; 16].into();
        Withdraw {
            subject: subject.into(),
            basis: basis.into(),
            entered_sequence,
            submission_id,
            ..Withdraw::default()
        }
    }

    #[test]
    fn mtg_33_a_lost_connection_names_one_presence_of_one_device_and_nothing_else_does() {
        let bob = UserAddress::parse("bob@south.example").unwrap();
        let device = DeviceUri::new(bob.clone(), [1; 8]);
        let (lost, disabled) = (WithdrawBasis::ConnectionLost, WithdrawBasis::AccountDisabled);
        let uri = device.to_string();
        for (subject, basis, entered) in
            [(uri.as_str(), lost, 0), ("bob@south.example", lost, 5), (&uri, disabled, 5)]
        {
            let read = Withdrawal::read(&withdraw(subject, basis, entered));
            assert_eq!(read, Err(Error::Malformed("presence")), "{subject} {basis:?} {entered}");
        }
        let all = |basis, subject: &str, entered, members: &[(DeviceUri, Sequence)]| {
            let read = Withdrawal::read(&withdraw(subject, basis, entered)).unwrap();
            let members = members.iter().map(|(device, entered)| (device, *entered));
            let departure = read.departure(members, [&device].into_iter());
            (departure.devices.len(), departure.joins_lapse)
        };
        let inside = |entered| [(device.clone(), Sequence(entered))];
        assert_eq!(all(lost, &uri, 5, &inside(5)), (1, false));
        assert_eq!(
            all(lost, &uri, 5, &inside(0)),
            (1, false),
            "who was there before this member knows no sequence"
        );
        assert_eq!(all(lost, &uri, 5, &inside(7)), (0, false), "it is in again");
        assert_eq!(all(disabled, "bob@south.example", 0, &inside(7)), (1, true));
        assert_eq!(all(disabled, "bob@south.example", 0, &[]), (1, true), "at the door");
    }
}
