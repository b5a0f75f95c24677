//! Coming without an account: a profile that ends with the call.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use conclave_core::{
    device::command::Command,
    identity::address::{Domain, UserAddress, UserKind},
    meeting::link::Link,
};

use super::{join, once};
use crate::{api, args::Join, driver::Driver, present, profile::Profile, screen::Screen};

pub(super) async fn join(home: &Path, args: Join, screen: Screen) -> anyhow::Result<bool> {
    let link =
        Link::parse(&args.meeting).with_context(|| format!("{} is no meeting's link", args.meeting))?;
    let server = link.server.clone().filter(|_| link.secret.is_some());
    let server = server.context("a guest needs the whole link, as https://SERVER/m/ID@HUB#SECRET")?;
    let ca =
        args.ca.as_deref().map(std::path::absolute).transpose().context("the file with the certificates")?;
    let name = args.guest.clone().unwrap_or_default();
    let stay = Stay::new(home);
    let mut driver = Driver::new(stay.profile(&server, ca.clone())?)?;
    let done = once(&mut driver, Command::SignInGuest { link, name }, &screen).await?;
    screen.say(&present::done(&done));
    let ended_well = Box::pin(join::run(driver, args, screen.clone())).await;
    // The session would end by itself within a day; its server need not wait for that.
    let mut driver = Driver::new(stay.profile(&server, ca)?)?;
    if let Err(error) = driver.run(Command::SignOut { device: None, everywhere: false }, |_| {}).await {
        tracing::debug!(%error, "the guest's session could not be ended");
    }
    ended_well
}

/// A folder of one call; gone with it.
struct Stay(PathBuf);

impl Stay {
    fn new(home: &Path) -> Self {
        Self(home.join("guests").join(std::process::id().to_string()))
    }

    fn profile(&self, server: &Domain, ca: Option<PathBuf>) -> anyhow::Result<Profile> {
        let address = UserAddress::new(UserKind::Guest, "visitor", server.clone())?;
        Ok(Profile::create(&self.0, address, api::Address { server: server.clone(), ca })?)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let _nothing_there = fs::remove_dir_all(&self.0);
    }
}
