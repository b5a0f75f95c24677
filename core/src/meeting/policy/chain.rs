//! How policies follow from one another, from the record to the one in force.

use std::sync::Arc;

use conclave_proto::types::v1 as wire;
use prost::bytes::Bytes;

use super::{Error, Policy, change::check_change};
use crate::{
    group::Identity,
    identity::{
        address::{DeviceUri, UserAddress},
        signed::{self, Label},
    },
    ids::MeetingId,
    limits,
    meeting::{Error as MeetingError, record::Record, trust::Trust},
    time::Time,
};

/// One change of policy, verified to follow from the policy before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    signed: wire::DeviceSigned,
    policy: Arc<Policy>,
    signer: UserAddress,
    time: Time,
}

impl Statement {
    /// The new policy.
    pub const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// As it travels.
    pub const fn signed(&self) -> &wire::DeviceSigned {
        &self.signed
    }

    /// Who signed it.
    pub const fn signer(&self) -> &UserAddress {
        &self.signer
    }

    /// When it was signed.
    pub const fn time(&self) -> Time {
        self.time
    }
}

/// A change of policy as an entitled device signs it.
pub fn sign_change(
    meeting: MeetingId,
    policy: &Policy,
    identity: &Identity,
    time: Time,
) -> wire::DeviceSigned {
    let statement = wire::PolicyStatement {
        meeting_id: Bytes::copy_from_slice(meeting.as_bytes()),
        policy: policy.bytes().clone(),
        device: identity.chain().claimed_uri().to_string(),
        time_ms: time.as_ms(),
    };
    wire::DeviceSigned {
        signed: Some(signed::sign_message(Label::Policy, &statement, identity.key())),
        certificate_chain: identity.chain().certificates().to_vec(),
    }
}

/// Every policy of a meeting so far, each verified to follow from the one before (spec: MTG-11).
#[derive(Clone, Debug)]
pub struct PolicyChain {
    meeting: MeetingId,
    first: Arc<Policy>,
    statements: Vec<Arc<Statement>>,
}

impl PolicyChain {
    /// Nothing changed yet.
    pub fn start(record: &Record) -> Self {
        Self { meeting: record.id(), first: record.policy().clone(), statements: Vec::new() }
    }

    /// Verifies every change since the record, oldest first (spec: MTG-11).
    pub fn verify(
        record: &Record,
        statements: &[wire::DeviceSigned],
        trust: Trust<'_>,
        now: Time,
    ) -> Result<Self, MeetingError> {
        if statements.len() > limits::POLICY_CHANGES {
            return Err(Error::TooLarge("history").into());
        }
        let mut chain = Self::start(record);
        for signed in statements {
            let statement = chain.check_next(signed, trust)?;
            if statement.time > now + limits::CLOCK_SKEW {
                return Err(Error::Misplaced("time").into());
            }
            chain.push(statement);
        }
        Ok(chain)
    }

    /// Whether a change follows from the policy in force; verifies signature, certificates at its time, and entitlement.
    pub fn check_next(
        &self,
        signed: &wire::DeviceSigned,
        trust: Trust<'_>,
    ) -> Result<Statement, MeetingError> {
        if self.statements.len() >= limits::POLICY_CHANGES {
            return Err(Error::TooLarge("history").into());
        }
        let (device, statement): (DeviceUri, wire::PolicyStatement) =
            trust.open(Label::Policy, signed, |statement: &wire::PolicyStatement| statement.time_ms)?;
        if statement.meeting_id != self.meeting.as_bytes()[..] {
            return Err(Error::Misplaced("meeting").into());
        }
        if statement.device != device.to_string() {
            return Err(Error::Misplaced("device").into());
        }
        let time = Time::from_ms(statement.time_ms);
        if self.statements.last().is_some_and(|last| time + limits::CLOCK_SKEW < last.time) {
            return Err(Error::Misplaced("time").into());
        }
        let policy = Policy::parse(statement.policy)?;
        check_change(self.tip(), &policy, device.user())?;
        Ok(Statement {
            signed: signed.clone(),
            policy: Arc::new(policy),
            signer: device.user().clone(),
            time,
        })
    }

    /// Puts a change into force that [`check_next`](Self::check_next) gave.
    pub fn push(&mut self, statement: Statement) {
        self.statements.push(Arc::new(statement));
    }

    /// The policy in force.
    pub fn tip(&self) -> &Arc<Policy> {
        self.statements.last().map_or(&self.first, |statement| &statement.policy)
    }

    /// The version of the policy in force.
    pub fn version(&self) -> u64 {
        self.tip().version()
    }

    /// Every change, oldest first, as it travels.
    pub fn signed(&self) -> Vec<wire::DeviceSigned> {
        self.statements.iter().map(|statement| statement.signed.clone()).collect()
    }

    /// The chain as it was when `version` was in force.
    #[must_use]
    pub fn at_version(&self, version: u64) -> Self {
        let keep = usize::try_from(version).unwrap_or(usize::MAX).min(self.statements.len());
        let statements = self.statements.iter().take(keep).cloned().collect();
        Self { meeting: self.meeting, first: self.first.clone(), statements }
    }
}
