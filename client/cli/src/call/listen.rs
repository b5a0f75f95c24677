//! Orders for the running call: lines of the input, and of a Unix socket in the profile for commands typed in another terminal.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot},
};

use super::order::Line;

/// The longest line taken in: a chat message with room to spare.
const LONGEST_LINE: u64 = 64 * 1024;

/// A line from somewhere.
#[derive(Debug)]
pub struct Heard {
    /// The line; none: the input is closed.
    pub line: Option<String>,
    /// Where the answer goes, if not to the screen.
    pub answer: Option<oneshot::Sender<Value>>,
}

/// Where a running call listens.
pub fn socket(profile: &Path) -> PathBuf {
    profile.join("call.sock")
}

/// Reads the input until it is closed.
pub async fn input(heard: mpsc::Sender<Heard>) {
    let mut lines = BufReader::new(tokio::io::stdin());
    while let Ok(Some(line)) = next_line(&mut lines).await {
        if heard.send(Heard { line: Some(line), answer: None }).await.is_err() {
            return;
        }
    }
    let _ = heard.send(Heard { line: None, answer: None }).await;
}

/// Takes orders from other terminals of the same user, until the task is ended.
pub async fn others(profile: PathBuf, heard: mpsc::Sender<Heard>) {
    let path = socket(&profile);
    let _ = std::fs::remove_file(&path); // Of a call that was killed.
    let listener = match UnixListener::bind(&path) {
        Ok(listener) => listener,
        Err(error) => return tracing::warn!(%error, "commands from other terminals cannot be taken"),
    };
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, heard.clone()));
    }
}

async fn answer(stream: UnixStream, heard: mpsc::Sender<Heard>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    while let Ok(Some(line)) = next_line(&mut lines).await {
        let (answer, result) = oneshot::channel();
        if heard.send(Heard { line: Some(line), answer: Some(answer) }).await.is_err() {
            return;
        }
        let Ok(result) = result.await else { return };
        if write.write_all(format!("{result}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn next_line(lines: &mut BufReader<impl AsyncRead + Unpin>) -> io::Result<Option<String>> {
    use tokio::io::AsyncReadExt;

    let mut bytes = Vec::new();
    lines.take(LONGEST_LINE).read_until(b'\n', &mut bytes).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.len() as u64 >= LONGEST_LINE {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned()))
}

/// Gives an order to the call that runs in another terminal, and waits for its answer.
pub async fn tell(profile: &Path, line: &Line) -> io::Result<Value> {
    let mut stream = UnixStream::connect(socket(profile)).await?;
    stream.write_all(format!("{}\n", serde_json::to_string(line)?).as_bytes()).await?;
    let mut lines = BufReader::new(stream);
    let text = next_line(&mut lines).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(serde_json::from_str(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::order::Order;

    #[tokio::test]
    async fn orders_from_another_terminal_reach_the_call_and_are_answered() {
        let folder = tempfile::tempdir().unwrap();
        let (heard, mut hear) = mpsc::channel(4);
        let task = tokio::spawn(others(folder.path().to_owned(), heard));
        let line = Line { id: None, order: Order::Admit { device: "bob@south.example".to_owned() } };
        let asking = async {
            loop {
                match tell(folder.path(), &line).await {
                    Ok(answer) => return answer,
                    Err(_) => tokio::task::yield_now().await, // Not listening yet.
                }
            }
        };
        let answering = async {
            let heard = hear.recv().await.unwrap();
            let order: Line = serde_json::from_str(&heard.line.unwrap()).unwrap();
            assert_eq!(order.order, line.order);
            heard.answer.unwrap().send(serde_json::json!({ "ok": true })).unwrap();
        };
        let (answer, ()) = tokio::join!(asking, answering);
        assert_eq!(answer["ok"], true);
        task.abort();
    }

    #[tokio::test]
    async fn a_line_without_end_is_refused() {
        let mut lines = BufReader::new(tokio::io::repeat(b'x'));
        assert!(next_line(&mut lines).await.is_err());
    }
}
