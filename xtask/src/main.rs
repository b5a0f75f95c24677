//! The project's commands: `cargo xtask demo | test | check | bench | web | screenshots`. Continuous integration runs `test` and nothing else.

mod bench;
mod browser;
mod check;
mod demo;
mod process;
mod report;
mod screenshots;
mod suites;
mod tools;
mod wasm;
mod web;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Builds, proves and measures Conclave.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  cargo xtask demo                 two home servers, accounts alice and bob, and what to type next
  cargo xtask demo --check         the nine claims, shown on real processes
  cargo xtask test                 everything that continuous integration runs
  cargo xtask test unit sim        two suites only
  cargo xtask bench federation     first figures, release build";

#[derive(Subcommand)]
enum Command {
    /// Starts two home servers with accounts and says what to type next; with --check proves the claims.
    Demo(demo::Arguments),
    /// Runs `check`, then every suite; or only the suites named.
    Test(suites::Arguments),
    /// Checks what the compiler does not: layers, rules, limits, licences, formatting.
    Check(check::Arguments),
    /// Measures: federation, media, join, rest or web.
    Bench(bench::Arguments),
    /// Builds the client for browsers, which the server's next build takes in.
    Web(web::Arguments),
    /// Takes pictures of every state of the page, for people to look at.
    Screenshots(screenshots::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = Workspace::find().and_then(|workspace| match arguments.command {
        Command::Demo(arguments) => demo::run(&workspace, &arguments),
        Command::Test(arguments) => suites::run(&workspace, &arguments),
        Command::Check(arguments) => check::run(&workspace, &arguments),
        Command::Bench(arguments) => bench::run(&workspace, &arguments),
        Command::Web(arguments) => web::run(&workspace, &arguments),
        Command::Screenshots(arguments) => screenshots::run(&workspace, &arguments),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
