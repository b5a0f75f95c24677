//! Signing in and out, and the user's devices.

use std::{
    io::{self, BufRead},
    path::Path,
};

use anyhow::Context;
use conclave_core::{
    device::{command::Command, event::Done},
    identity::address::DeviceUri,
};
use zeroize::Zeroizing;

use super::{device, once};
use crate::{
    api,
    args::{Devices, SignIn},
    driver::Driver,
    present,
    profile::Profile,
    screen::Screen,
};

/// The longest name of a device, in characters.
const LABEL: usize = 64;

pub(super) async fn sign_in(home: &Path, args: SignIn, screen: Screen) -> anyhow::Result<bool> {
    let server = args.server.unwrap_or_else(|| args.address.domain().clone());
    let ca =
        args.ca.as_deref().map(std::path::absolute).transpose().context("the file with the certificates")?;
    let (user, asked) = (args.address.name().to_owned(), args.address.to_string());
    let profile = Profile::create(home, args.address, api::Address { server, ca })?;
    let mut driver = Driver::new(profile)?;
    let password = read_password(args.password_stdin, &asked)?;
    let label: String = args.label.unwrap_or_else(machine_name).chars().take(LABEL).collect();
    let done = once(&mut driver, Command::SignIn { user, password, label }, &screen).await?;
    driver.profile().settle(home)?;
    screen.say(&present::done(&done));
    Ok(true)
}

pub(super) async fn sign_out(profile: Profile, everywhere: bool, screen: Screen) -> anyhow::Result<bool> {
    let mut driver = device(profile)?;
    let done = once(&mut driver, Command::SignOut { device: None, everywhere }, &screen).await?;
    screen.say(&present::done(&done));
    Ok(true)
}

pub(super) async fn devices(
    profile: Profile,
    command: Option<Devices>,
    screen: Screen,
) -> anyhow::Result<bool> {
    let mut driver = device(profile)?;
    let command = match command.unwrap_or(Devices::List) {
        Devices::List => Command::ListDevices,
        Devices::Revoke { device } => {
            let device = DeviceUri::parse(&device).context(device)?;
            Command::SignOut { device: Some(device), everywhere: false }
        }
    };
    let done: Done = once(&mut driver, command, &screen).await?;
    screen.say(&present::done(&done));
    Ok(true)
}

fn read_password(from_input: bool, address: &str) -> anyhow::Result<Zeroizing<String>> {
    let password = if from_input {
        let mut line = Zeroizing::new(String::new());
        io::stdin().lock().read_line(&mut line).context("the password could not be read")?;
        Zeroizing::new(line.trim_end_matches(['\n', '\r']).to_owned())
    } else {
        let ask = format!("Password of {address}: ");
        Zeroizing::new(
            rpassword::prompt_password(ask).context("there is no terminal to ask for the password")?,
        )
    };
    anyhow::ensure!(!password.is_empty(), "the password is empty");
    Ok(password)
}

fn machine_name() -> String {
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "terminal".to_owned() } else { name.to_owned() }
}
