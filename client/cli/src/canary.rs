//! Under the feature `canary` alone: writes the secrets that this device holds to a file, as JSON lines of name and hexadecimal,
//! so that the tests can search the servers for them, and stays on the line when it is removed. No release enables it.

use std::{fs::File, io::Write, thread, time::Duration};

use conclave_core::canary;
use data_encoding::HEXLOWER;
use serde_json::json;

/// Names the file.
const FILE: &str = "CONCLAVE_CANARY_FILE";

/// How long a client that was thrown out holds on to its connections, as a hostile one would.
const HOLD_ON: Duration = Duration::from_secs(6);

/// Goes on as if nothing had happened.
pub async fn hold_on() {
    if std::env::var_os(FILE).is_some() {
        tokio::time::sleep(HOLD_ON).await;
    }
}

/// Begins to write, as secrets come up, until the program ends.
pub fn start() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let Ok(mut file) = File::options().create(true).append(true).open(path) else { return };
    thread::spawn(move || {
        loop {
            for (name, secret) in canary::drain() {
                let line = json!({ "name": name, "hex": HEXLOWER.encode(&secret) });
                let _ = writeln!(file, "{line}"); // The test misses what is not written, and says so.
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
}
