//! Asking for a password.

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::{Context as _, Result, bail};

/// From standard input if asked to or if that is no terminal, or twice from the terminal.
pub(super) fn ask(stdin: bool) -> Result<String> {
    if stdin || !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).context("reading the password from standard input")?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let first = rpassword::prompt_password("New password: ").context("asking for the password")?;
    let second = rpassword::prompt_password("Once more: ").context("asking for the password")?;
    if first != second {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(first)
}
