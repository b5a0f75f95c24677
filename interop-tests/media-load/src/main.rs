//! Load for the media bench: real WebRTC publishers and subscribers around one SFU process, or two with a relay link.
//!
//! Prints one JSON object: microseconds of the SFU processes' CPU for each delivered packet. Subscribers do ICE and DTLS and answer
//! ICE's questions, but only count the SRTP packets that come, so that the machine's time is left to the SFU.

mod clients;
mod cpu;
mod sfu;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use serde_json::json;

use sfu::Sfu;

#[derive(Parser)]
#[command(name = "conclave-media-load")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// An SFU that is told what to do on its standard input; started by `run`.
    Sfu {
        /// Whose.
        #[arg(long)]
        domain: String,
    },
    /// Measures.
    Run {
        /// Publishers x subscribers x packets a second of each publisher.
        #[arg(value_parser = load)]
        load: Load,
        /// Publishers at one SFU, subscribers at another.
        #[arg(long)]
        relay: bool,
        /// How long to measure.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Load {
    publishers: u32,
    subscribers: u32,
    rate: u32,
}

fn load(text: &str) -> Result<Load, String> {
    let parts: Option<Vec<u32>> = text.split('x').map(|part| part.parse().ok()).collect();
    match parts.as_deref() {
        Some(&[publishers, subscribers, rate]) if publishers > 0 && subscribers > 0 && rate > 0 => {
            Ok(Load { publishers, subscribers, rate })
        }
        _ => Err("must look like 4x20x200".to_owned()),
    }
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Sfu { domain } => sfu::serve(&domain),
        Command::Run { load, relay, seconds } => run(load, relay, Duration::from_secs(seconds)),
    }
}

fn run(load: Load, relay: bool, time: Duration) -> Result<()> {
    str0m::crypto::from_feature_flags().install_process_default();
    let mut sfus = vec![Sfu::start("north.example")?];
    if relay {
        sfus.push(Sfu::start("south.example")?);
        sfu::introduce(&mut sfus)?;
    }
    let (publishers, subscribers) = clients::join(&mut sfus, load.publishers, load.subscribers)?;
    let stop = Arc::new(AtomicBool::new(false));
    let delivered = Arc::new(AtomicU64::new(0));
    let (stopped, rate) = (stop.clone(), load.rate);
    let sending = thread::spawn(move || clients::send(publishers, rate, &stopped));
    let (stopped, count) = (stop.clone(), delivered.clone());
    let receiving = thread::spawn(move || clients::receive(subscribers, &count, &stopped));

    let full = f64::from(load.publishers * load.subscribers * load.rate);
    warm_up(&delivered, full)?;
    let start = Instant::now();
    let (packets, cpu) = (delivered.load(Ordering::Relaxed), cpu::of(&sfus)?);
    thread::sleep(time);
    let (packets, cpu) =
        (delivered.load(Ordering::Relaxed) - packets, cpu::of(&sfus)?.checked_sub(cpu).unwrap());
    let seconds = start.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    sending.join().map_err(|_| anyhow::anyhow!("the publishers failed"))??;
    receiving.join().map_err(|_| anyhow::anyhow!("the subscribers failed"))??;

    ensure!(packets > 0, "nothing was delivered");
    #[allow(clippy::cast_precision_loss)] // Packets of some seconds.
    let (packets_f, micros) = (packets as f64, cpu.as_micros() as f64);
    let figures = json!({
        "us_per_packet": micros / packets_f,
        "delivered": packets,
        "delivered_per_s": packets_f / seconds,
        "delivered_share": packets_f / (full * seconds),
        "cpu_s": cpu.as_secs_f64(),
        "seconds": seconds,
    });
    println!("{figures}");
    Ok(())
}

/// Waits until most of what is sent arrives.
fn warm_up(delivered: &AtomicU64, full: f64) -> Result<()> {
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut before = 0;
    loop {
        thread::sleep(Duration::from_secs(1));
        let now = delivered.load(Ordering::Relaxed);
        #[allow(clippy::cast_precision_loss)] // Packets of one second.
        if (now - before) as f64 > 0.8 * full {
            return Ok(());
        }
        before = now;
        // A machine that cannot carry the load is still measured, by what it does carry.
        if Instant::now() > deadline {
            return if now > 0 { Ok(()) } else { Err(anyhow::anyhow!("nothing arrives")) }
                .context("warming up");
        }
    }
}
