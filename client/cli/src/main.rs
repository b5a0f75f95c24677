//! Conclave in a terminal.

use clap::Parser;
use conclave_cli::{args::Cli, commands};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() {
    // What the program says goes to the output; what it thinks goes to the error output, if CONCLAVE_LOG asks for it.
    let filter = EnvFilter::try_from_env("CONCLAVE_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    #[cfg(feature = "canary")]
    conclave_cli::canary::start();
    let ended_well = commands::run(Cli::parse()).await;
    // Reading the input cannot be interrupted; do not wait for a line that never comes.
    std::process::exit(i32::from(!ended_well))
}
