//! Load for the benches: real devices with real MLS over real TLS, at full speed, without a person in between.
//!
//! Prints one JSON object of figures; whoever starts it (the runner's benches) watches the servers' processes.

mod chat;
mod meeting;
mod person;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use conclave_core::identity::address::Domain;

/// Where two organisations are, and who may sign in there.
#[derive(Parser)]
#[command(name = "conclave-load")]
struct Arguments {
    /// The first organisation's domain; its server is the hub.
    #[arg(long, value_parser = Domain::parse)]
    north: Domain,
    /// PEM file with the certificate of its server.
    #[arg(long)]
    north_ca: PathBuf,
    /// The second organisation's domain.
    #[arg(long, value_parser = Domain::parse)]
    south: Domain,
    /// PEM file with the certificate of its server.
    #[arg(long)]
    south_ca: PathBuf,
    /// The password of alice (north) and bob (south).
    #[arg(long)]
    password: String,
    #[command(subcommand)]
    load: Load,
}

#[derive(Subcommand)]
enum Load {
    /// One message after the other: how long from alice's hand to bob's eyes.
    Latency {
        /// How many.
        #[arg(long, default_value_t = 500)]
        messages: usize,
    },
    /// As many messages a second as go through.
    Throughput {
        /// How many in all.
        #[arg(long, default_value_t = 20_000)]
        messages: usize,
        /// In how many meetings at once.
        #[arg(long, default_value_t = 1)]
        meetings: usize,
        /// How many may be on their way unanswered, over all meetings.
        #[arg(long, default_value_t = 32)]
        in_flight: usize,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let alice =
        person::Person::sign_in(&arguments.north, &arguments.north_ca, "alice", &arguments.password).await?;
    let bob =
        person::Person::sign_in(&arguments.south, &arguments.south_ca, "bob", &arguments.password).await?;
    let figures = match arguments.load {
        Load::Latency { messages } => chat::latency(&alice, &bob, messages).await?,
        Load::Throughput { messages, meetings, in_flight } => {
            chat::throughput(&alice, &bob, messages, meetings, in_flight).await?
        }
    };
    println!("{figures}");
    Ok(())
}
