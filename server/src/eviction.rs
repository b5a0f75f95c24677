//! Takes out of every meeting the own devices that may be in none any more: signed out, or their account disabled (FED-14).
//!
//! It compares who is there with what the store says, whoever changed that: the person, an operator while the server runs, or one
//! while it did not.

use std::{collections::BTreeSet, time::Duration};

use conclave_core::{
    identity::address::{DeviceUri, UserKind},
    time::Time,
};
use conclave_proto::types::v1::WithdrawBasis;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    account::{Error, accounts::Accounts, devices},
    clock,
    meeting::registry::Registry,
    store::{self, schema},
};

/// Changes of one moment are looked at together.
const TOGETHER: Duration = Duration::from_millis(50);
/// A session's end by time is noticed within this.
const LOOK: Duration = Duration::from_mins(10);

/// Works until `shutdown`.
pub async fn run(registry: Registry, accounts: Accounts, store: store::Shared, shutdown: CancellationToken) {
    let watch = |area| store.watch(schema::Key::area(area).as_bytes());
    let (mut people, mut signed_in) = (watch(schema::Area::Accounts), watch(schema::Area::Devices));
    loop {
        let going: BTreeSet<_> = registry.own_devices().await.into_iter().collect();
        for device in going {
            match verdict(&accounts, &store, &device, clock::now()).await {
                Ok(None) => {}
                Ok(Some((subject, basis))) => {
                    info!(?basis, "a device is taken out of its meetings");
                    registry.evict(&subject, basis).await;
                }
                Err(error) => warn!(%error, "whether a device is signed in cannot be read"),
            }
        }
        let on = tokio::select! {
            () = shutdown.cancelled() => false,
            changed = people.changed() => changed,
            changed = signed_in.changed() => changed,
            () = sleep(LOOK) => true,
        };
        if !on {
            return;
        }
        sleep(TOGETHER).await;
    }
}

/// Who has to go, and why; none if the device may stay.
async fn verdict(
    accounts: &Accounts,
    store: &store::Shared,
    device: &DeviceUri,
    now: Time,
) -> Result<Option<(String, WithdrawBasis)>, Error> {
    let user = device.user();
    let has_account = user.kind() == UserKind::User;
    if has_account && accounts.find(user.name()).await?.is_none_or(|account| account.disabled) {
        return Ok(Some((user.to_string(), WithdrawBasis::AccountDisabled)));
    }
    let found = devices::find(&**store, device).await?;
    let stays = found.is_some_and(|device| device.expires_ms > now.as_ms());
    Ok((!stays).then(|| (device.to_string(), WithdrawBasis::SignedOut)))
}
