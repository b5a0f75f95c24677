//! Chat from alice to bob: how long one takes, and how many go through.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use conclave_core::{
    group::member::Opened,
    meeting::{
        log::{Entry, Kind},
        submission::Submission,
    },
};
use conclave_proto::{client::v1 as api, types::v1 as types};
use futures::{StreamExt, stream};
use prost::Message;
use serde_json::json;

use crate::{
    meeting::{self, Place, Seat, submit_bytes},
    person::{Person, now, random},
};

/// About what people type, bytes.
const TEXT: usize = 100;
/// Longer than any answer takes.
const WITHIN: Duration = Duration::from_mins(2);

/// One after the other: from alice's hand to bob's eyes, and to alice's receipt.
pub(crate) async fn latency(alice: &Person, bob: &Person, messages: usize) -> Result<serde_json::Value> {
    let (mut hers, mut his) = meeting::open(alice, bob).await?;
    let (mut seen, mut acknowledged) = (Vec::new(), Vec::new());
    // The first ones warm connections and caches.
    for round in 0..messages + 20 {
        let sealed = hers.member.seal(&chat())?;
        let start = Instant::now();
        let (answer, arrived) = tokio::join!(
            async {
                submit_bytes(alice, &hers.place, Kind::Message, sealed.into(), bytes::Bytes::new())
                    .await
                    .map(|_| start.elapsed())
            },
            async { next_message(&mut his).await.map(|()| start.elapsed()) }
        );
        if round >= 20 {
            acknowledged.push(answer?);
            seen.push(arrived?);
        }
    }
    Ok(json!({
        "p50_ms": percentile(&mut seen, 50),
        "p99_ms": percentile(&mut seen, 99),
        "acknowledged_p50_ms": percentile(&mut acknowledged, 50),
    }))
}

/// As many as go through, each acknowledged to alice and read by bob.
pub(crate) async fn throughput(
    alice: &Person,
    bob: &Person,
    messages: usize,
    meetings: usize,
    in_flight: usize,
) -> Result<serde_json::Value> {
    let mut seats = Vec::new();
    for _ in 0..meetings {
        seats.push(meeting::open(alice, bob).await?);
    }
    let each = messages / meetings;
    let mut jobs: Vec<(Place, Vec<Vec<u8>>)> = Vec::new();
    let mut readers = Vec::new();
    for (mut hers, his) in seats {
        let sealed = (0..each).map(|_| Ok(hers.member.seal(&chat())?)).collect::<Result<Vec<_>>>()?;
        jobs.push((hers.place.clone(), sealed));
        drain(hers);
        readers.push(his);
    }
    let start = Instant::now();
    let reading = readers.into_iter().map(|mut his| {
        tokio::spawn(async move {
            for _ in 0..each {
                next_message(&mut his).await?;
            }
            Ok::<_, anyhow::Error>(())
        })
    });
    let reading: Vec<_> = reading.collect();
    let per_meeting = (in_flight / meetings).max(1);
    let writing = jobs.iter().map(|(place, sealed)| async move {
        stream::iter(sealed)
            .map(|sealed| {
                submit_bytes(alice, place, Kind::Message, sealed.clone().into(), bytes::Bytes::new())
            })
            .buffered(per_meeting)
            .fold(Ok(()), async |so_far, answer| so_far.and(answer.map(drop)))
            .await
    });
    for written in futures::future::join_all(writing).await {
        written?;
    }
    for read in reading {
        tokio::time::timeout(WITHIN, read).await.context("bob did not get everything")???;
    }
    let seconds = start.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss)] // Far fewer than 2^52.
    let per_second = (each * meetings) as f64 / seconds;
    Ok(json!({ "messages": each * meetings, "seconds": seconds, "msgs_per_s": per_second }))
}

/// Alice's own stream is read, as a real device would.
fn drain(mut seat: Seat) {
    tokio::spawn(async move { while seat.watch.next().await.is_some() {} });
}

/// Reads on until a message came, and opens it.
async fn next_message(seat: &mut Seat) -> Result<()> {
    loop {
        if let Some(entry) = seat.waiting.pop_front() {
            let signed = types::Signed::decode(entry.content().clone())?;
            let submission = Submission::read(&signed)?;
            match seat.member.open(&submission.content)? {
                Opened::Message { .. } => return Ok(()),
                Opened::Own => continue,
            }
        }
        let item = tokio::time::timeout(WITHIN, seat.watch.next()).await.context("nothing came")?;
        let Some(item) = item else { bail!("the stream ended") };
        if let Some(api::watch_response::Item::Batch(batch)) = item?.item {
            for entry in &batch.entries {
                let entry = Entry::parse(entry)?;
                if entry.header().kind == Kind::Message {
                    seat.waiting.push_back(entry);
                }
            }
        }
    }
}

fn chat() -> Vec<u8> {
    let id: [u8; 16] = random();
    types::Message {
        message_id: id.to_vec().into(),
        time_ms: now().as_ms(),
        body: Some(types::message::Body::Chat("x".repeat(TEXT))),
    }
    .encode_to_vec()
}

fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
}
