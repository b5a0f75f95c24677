//! The admin socket: a Unix socket in the data folder that only the server's user may open.
//!
//! One line of JSON asks; lines of JSON answer, the last being the answer or an error.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::mpsc,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use super::act::{Act, Answer, Office};
use crate::{config::Config, store::backup::Progress};

const QUESTION_BYTES: u64 = 64 * 1024;
const QUESTION_TIME: Duration = Duration::from_secs(10);
const PROGRESS_EVERY: u64 = 1000;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Progress(u64, u64),
    Answer(Answer),
    Error(String),
}

fn path(config: &Config) -> PathBuf {
    config.data.join("admin.sock")
}

/// Asks the running server; `None` if none runs.
pub(super) async fn ask(config: &Config, act: &Act, progress: &Progress) -> Result<Option<Answer>> {
    let path = path(config);
    let mut stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => {
            let hint =
                format!("asking the running server at {}; run this as the server's user", path.display());
            return Err(error).context(hint);
        }
    };
    stream.write_all(&line(act)?).await.context("asking the running server")?;
    let mut answers = BufReader::new(stream).lines();
    while let Some(text) = answers.next_line().await.context("the running server's answer")? {
        match serde_json::from_str(&text).context("the running server is of another version")? {
            Line::Progress(done, total) => progress(done, total),
            Line::Answer(answer) => return Ok(Some(answer)),
            Line::Error(error) => bail!("{error}"),
        }
    }
    bail!("the running server ended before it answered; see its log")
}

/// Whether a server answers on the socket.
pub(super) async fn is_running(config: &Config) -> bool {
    UnixStream::connect(path(config)).await.is_ok()
}

/// Begins to answer operators; the socket is gone when the server has ended.
pub(super) fn listen(office: Office, tasks: &TaskTracker, shutdown: CancellationToken) -> Result<()> {
    let path = path(&office.config);
    // The store is open, so this process is the server, and a socket that is there is an ended one's.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing the old {}", path.display()));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("listening on the admin socket {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
        .context("closing the admin socket to others")?;
    let (office, spawner) = (Arc::new(office), tasks.clone());
    tasks.spawn(async move {
        let accepting = accept(&listener, &office, &spawner);
        tokio::select! { () = accepting => {}, () = shutdown.cancelled() => {} }
        remove(&path);
    });
    Ok(())
}

async fn accept(listener: &UnixListener, office: &Arc<Office>, tasks: &TaskTracker) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let office = Arc::clone(office);
                tasks.spawn(async move {
                    if let Err(error) = answer(&office, stream).await {
                        warn!(%error, "an operator could not be answered");
                    }
                });
            }
            Err(error) => {
                warn!(%error, "the admin socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(office: &Office, stream: UnixStream) -> Result<()> {
    let who = format!("uid {}", stream.peer_cred()?.uid());
    let (read, mut write) = stream.into_split();
    let mut question = String::new();
    let mut limited = BufReader::new(read.take(QUESTION_BYTES));
    timeout(QUESTION_TIME, limited.read_line(&mut question)).await.context("waiting for the question")??;
    if question.is_empty() {
        // Somebody only looked whether the server runs.
        return Ok(());
    }
    let act = serde_json::from_str(&question).map_err(|_| anyhow!("the question is of another version"))?;
    let (sender, mut steps) = mpsc::channel(8);
    let progress: Progress = Box::new(move |done, total| {
        if done.is_multiple_of(PROGRESS_EVERY) || done == total {
            // A slow terminal misses steps instead of slowing the server.
            let _full = sender.try_send(Line::Progress(done, total));
        }
    });
    let work = office.perform(act, &who, progress);
    tokio::pin!(work);
    loop {
        tokio::select! {
            Some(step) = steps.recv() => write.write_all(&line(&step)?).await?,
            result = &mut work => {
                let last = result.map_or_else(|error| Line::Error(super::output::sentence(&error)), Line::Answer);
                return Ok(write.write_all(&line(&last)?).await?);
            }
        }
    }
}

fn line(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        warn!(%error, "removing the admin socket");
    }
}
