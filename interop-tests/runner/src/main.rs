//! What is proven, black box: starts real servers and clients, lets them meet, and judges what it sees.
//!
//! It knows the protocol's messages and the programs' command lines; it links none of their code.

mod bench;
mod claims;
mod demo;
mod evidence;
mod grpc;
mod mallory;
mod organisation;
mod person;
mod process;
mod scene;
mod seized;
mod table;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::scene::{Programs, Scene};

/// Runs and judges real servers and clients.
#[derive(Parser)]
#[command(name = "conclave-runner")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts two organisations and waits for Ctrl-C.
    Demo(Demo),
    /// Measures: federation, media, join, rest or web.
    Bench(Measure),
    /// Shows the claims and prints claim, evidence and verdict.
    Check(Check),
}

/// Where the built programs are.
#[derive(Args)]
struct Built {
    /// `conclave-server`.
    #[arg(long, value_name = "FILE")]
    server: PathBuf,
    /// `conclave`.
    #[arg(long, value_name = "FILE")]
    client: PathBuf,
    /// Where state is kept.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Keeps the state of the last run.
    #[arg(long)]
    keep: bool,
}

#[derive(Args)]
struct Demo {
    #[command(flatten)]
    built: Built,
    /// The folder of the clips.
    #[arg(long, value_name = "DIR")]
    media: PathBuf,
}

#[derive(Args)]
struct Measure {
    #[command(flatten)]
    built: Built,
    /// `conclave-load`.
    #[arg(long, value_name = "FILE")]
    load: PathBuf,
    /// `conclave-media-load`.
    #[arg(long, value_name = "FILE")]
    media_load: PathBuf,
    /// The folder of the clips.
    #[arg(long, value_name = "DIR")]
    media: PathBuf,
    /// The sources of the page for browsers.
    #[arg(long, value_name = "DIR")]
    page: PathBuf,
    /// Writes the rows as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// federation, media, join, rest or web.
    name: String,
}

#[derive(Args)]
struct Check {
    #[command(flatten)]
    built: Built,
    /// `conclave-server` built with the feature `wiretap`.
    #[arg(long, value_name = "FILE")]
    wiretap_conclave_server: PathBuf,
    /// `conclave` built with the feature `canary`.
    #[arg(long, value_name = "FILE")]
    canary_conclave: PathBuf,
    /// The folder of the clips.
    #[arg(long, value_name = "DIR")]
    media: PathBuf,
    /// Writes the rows as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only these claims.
    claims: Vec<u8>,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Demo(Demo { built, media }) => demo::run(&built, &media).map(|()| true),
        Command::Check(check) => run_check(&check),
        Command::Bench(measure) => {
            let built = &measure.built;
            let (server, client, state) = (&built.server, &built.client, &built.state);
            let (load, media_load, media) = (&measure.load, &measure.media_load, &measure.media);
            let page = &measure.page;
            let bench = bench::Bench { server, client, load, media_load, media, page, state };
            bench::run(&bench, &measure.name, measure.json.as_deref())
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_check(check: &Check) -> Result<bool> {
    let folder = check.built.state.join("check");
    let _ = fs::remove_dir_all(&folder);
    let programs = Programs {
        server: check.built.server.clone(),
        client: check.built.client.clone(),
        wiretap_server: check.wiretap_conclave_server.clone(),
        canary_client: check.canary_conclave.clone(),
        media: check.media.clone(),
    };
    let mut scene = Scene::set_up(&folder, &programs)?;
    let judged = claims::run(&mut scene, &check.claims);
    table::print(&judged);
    if let Some(file) = &check.json {
        table::write(&judged, "demo", file)?;
    }
    Ok(!judged.is_empty() && judged.iter().all(table::Judged::holds))
}
