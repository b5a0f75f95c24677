//! Who calls: the device whose session token a call carries.

use std::time::Instant;

use conclave_proto::types::v1::ErrorReason;
use http::{Request, header};
use tonic::body::Body;

use crate::{
    account::{
        self,
        devices::Devices,
        sessions::{Caller, Sessions},
    },
    clock,
    refusal::Refusal,
    rpc::budget::{Budget, Rate},
};

/// The calls that need no token.
const SIGN_IN: [&str; 2] =
    ["/conclave.client.v1.AccountService/SignIn", "/conclave.client.v1.AccountService/SignInGuest"];
/// All that a guest may call; the meeting is checked where it is named (spec: IDN-32).
const FOR_GUESTS: [&str; 7] = [
    "/conclave.client.v1.AccountService/RenewCertificate",
    "/conclave.client.v1.AccountService/SignOut",
    "/conclave.client.v1.DirectoryService/LookUpServer",
    "/conclave.client.v1.MeetingService/LookUpMeeting",
    "/conclave.client.v1.MeetingService/Submit",
    "/conclave.client.v1.MeetingService/Watch",
    "/conclave.client.v1.MeetingService/FetchTree",
];
/// A member's media.
const MEDIA: &str = "/conclave.client.v1.MediaService/";
/// How fast one user's devices may call, together.
const USER: Rate = Rate { burst: 10_000.0, per_second: 6_000.0 };

/// Decides who makes each call.
pub struct Gate {
    sessions: Sessions,
    devices: Devices,
    budget: Budget<String>,
}

impl Gate {
    /// By these sessions.
    pub fn new(sessions: Sessions, devices: Devices) -> Self {
        Self { sessions, devices, budget: Budget::new(USER) }
    }

    /// Puts the calling device into the request, or says why it may not call (spec: FED-08).
    pub async fn admit(&self, request: &mut Request<Body>) -> Result<(), Refusal> {
        if SIGN_IN.contains(&request.uri().path()) {
            return Ok(());
        }
        let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer ")).ok_or(ErrorReason::NotSignedIn)?;
        let now = clock::now();
        let caller = self.sessions.caller(token, now).await?;
        if caller.only.is_some() && !is_for_guests(request.uri().path()) {
            return Err(ErrorReason::NotEntitled.into());
        }
        self.budget.spend(&caller.user().to_string(), 1.0, Instant::now())?;
        // A note for the user's list of devices; the call does not depend on it.
        if let Err(error) = self.devices.seen(&caller, now).await {
            tracing::debug!(%error, "when a device was seen could not be noted");
        }
        request.extensions_mut().insert(caller);
        Ok(())
    }
}

fn is_for_guests(path: &str) -> bool {
    FOR_GUESTS.contains(&path) || path.starts_with(MEDIA)
}

/// The device that makes a call that passed the gate.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Refusal> {
    request.extensions().get::<Caller>().cloned().ok_or(ErrorReason::NotSignedIn.into())
}

impl From<account::Error> for Refusal {
    fn from(error: account::Error) -> Self {
        use account::Error as E;
        match error {
            E::WrongPassword => ErrorReason::BadCredentials.into(),
            E::Throttled(wait) => Self::retry(ErrorReason::RateLimited, wait),
            E::Busy => Self::retry(ErrorReason::RateLimited, std::time::Duration::from_secs(2)),
            E::NoSession => ErrorReason::NotSignedIn.into(),
            E::NoPossession | E::SealingKey => ErrorReason::BadSignature.into(),
            E::UserName | E::DisplayName | E::Label | E::Password => Self::MALFORMED,
            E::UserExists => ErrorReason::Replayed.into(),
            E::NoUser | E::NoDevice => Self::NOT_FOUND,
            E::TooManyDevices => ErrorReason::Full.into(),
            E::Store(error) => error.into(),
            E::DeviceCa(_) | E::Bug(_) => super::super::status::bug(error),
        }
    }
}
