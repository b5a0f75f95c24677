//! Whether a server gives browsers the files whose hashes it publishes.

use std::collections::BTreeMap;

use anyhow::Context;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    api::{Address, Api},
    args::VerifyWeb,
    screen::{Note, Screen},
};

/// Where the hashes are.
const HASHES: &str = "/.well-known/conclave/web";
/// The page itself; browsers ask for it by the root.
const PAGE: &str = "index.html";
/// Largest list of hashes.
const LIST_BYTES: usize = 1 << 20;
/// Largest file of the client.
const FILE_BYTES: usize = 64 << 20;
/// Most files of the client.
const FILES: usize = 1_000;

/// Hashes by path.
type Hashes = BTreeMap<String, String>;

pub(super) async fn run(verify: VerifyWeb, screen: Screen) -> anyhow::Result<bool> {
    let own = match &verify.against {
        None => None,
        Some(file) => {
            let name = || format!("{} is no list of hashes", file.display());
            Some(read_list(&std::fs::read(file).with_context(name)?).with_context(name)?)
        }
    };
    let address = Address { server: verify.server, ca: verify.ca };
    let api = Api::new(&address)?;
    let same = compare(&api, own.as_ref(), |note| screen.say(&note)).await?;
    let server = &address.server;
    let text = match (same, own.is_some()) {
        (true, true) => format!("{server} gives browsers the client of your list."),
        (true, false) => format!(
            "{server} gives browsers what it says it gives. Compare the hashes with a build of your own: --against FILE."
        ),
        (false, _) => {
            format!("{server} gives browsers something else than it should: do not trust its page.")
        }
    };
    screen.say(&Note::new("verdict", json!({ "server": server.to_string(), "ok": same }), text));
    Ok(same)
}

/// Says how each file is; whether all are as they should be.
async fn compare(api: &Api, own: Option<&Hashes>, mut say: impl FnMut(Note)) -> anyhow::Result<bool> {
    let told = read_list(&api.read(HASHES, LIST_BYTES).await?)?;
    anyhow::ensure!(!told.is_empty(), "this server has no web client");
    let mut all_well = true;
    for (path, hash) in &told {
        let place = if path == PAGE { "/".to_owned() } else { format!("/{path}") };
        let found =
            api.read(&place, FILE_BYTES).await.map(|body: Bytes| HEXLOWER.encode(&Sha256::digest(&body)));
        let known = own.is_none_or(|own| own.get(path) == Some(hash));
        let what = match &found {
            Err(_) => "cannot be read",
            Ok(found) if found != hash => "differs from the server's list",
            Ok(_) if !known => "differs from your list",
            Ok(_) => "ok",
        };
        all_well &= what == "ok";
        let fields = json!({ "path": path, "listed": hash, "found": found.ok(), "ok": what == "ok" });
        say(Note::new("file", fields, format!("{hash}  {path}  {what}")));
    }
    for path in own.iter().flat_map(|own| own.keys()).filter(|path| !told.contains_key(*path)) {
        all_well = false;
        say(Note::new("file", json!({ "path": path, "ok": false }), format!("{path}  is not there")));
    }
    Ok(all_well)
}

/// Lines of `HASH  PATH`.
fn read_list(list: &[u8]) -> anyhow::Result<Hashes> {
    let text = std::str::from_utf8(list)?;
    let mut hashes = Hashes::new();
    for line in text.lines() {
        let (hash, path) = line.split_once("  ").context("a line is not of the form HASH  PATH")?;
        let plain = path.bytes().all(|byte| byte.is_ascii_graphic()) && !path.starts_with('/');
        let is_hash = HEXLOWER.decode(hash.as_bytes()).is_ok_and(|bytes| bytes.len() == 32);
        anyhow::ensure!(plain && is_hash, "a line is not of the form HASH  PATH");
        hashes.insert(path.to_owned(), hash.to_owned());
        anyhow::ensure!(hashes.len() <= FILES, "the list is too long");
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use http::{Request, Response, StatusCode};
    use http_body_util::Full;
    use hyper::service::service_fn;
    use hyper_util::rt::{TokioExecutor, TokioIo};

    use super::*;
    use crate::testing::Tls;

    fn hash(body: &str) -> String {
        HEXLOWER.encode(&Sha256::digest(body))
    }

    /// A server's files; it lists the first hash and gives the second text.
    async fn judged(
        files: &[(&'static str, String, &'static str)],
        own: Option<&Hashes>,
    ) -> (bool, Vec<Note>) {
        let tls = Tls::new();
        let lines: Vec<_> = files.iter().map(|(path, hash, _)| format!("{hash}  {path}")).collect();
        let list = lines.join("\n");
        let mut answers: BTreeMap<String, Bytes> = BTreeMap::from([(HASHES.to_owned(), list.into())]);
        for (path, _, body) in files {
            let place = if *path == PAGE { "/".to_owned() } else { format!("/{path}") };
            answers.insert(place, Bytes::from_static(body.as_bytes()));
        }
        let _serving = tls
            .serve_connections(move |stream| {
                let answers = answers.clone();
                async move {
                    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                        let found = answers.get(request.uri().path()).cloned();
                        let status = if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
                        let body = Full::new(found.unwrap_or_default());
                        std::future::ready(Response::builder().status(status).body(body))
                    });
                    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _over = connection.serve_connection(TokioIo::new(stream), service).await;
                }
            })
            .await;
        let api = Api::new(&tls.address()).unwrap();
        let mut notes = Vec::new();
        let same = compare(&api, own, |note| notes.push(note)).await.unwrap();
        (same, notes)
    }

    #[tokio::test]
    async fn a_server_that_gives_what_it_lists_is_told_from_one_that_does_not() {
        let good = [(PAGE, hash("page"), "page"), ("assets/app.js", hash("let a;"), "let a;")];
        let (same, notes) = judged(&good, None).await;
        assert!(same && notes.len() == 2 && notes.iter().all(|note| note.fields["ok"] == true));
        let changed = [(PAGE, hash("page"), "page"), ("assets/app.js", hash("let a;"), "let evil;")];
        let (same, notes) = judged(&changed, None).await;
        assert!(!same);
        assert_eq!(
            (&notes[0].fields["path"], &notes[0].fields["ok"]),
            (&"assets/app.js".into(), &false.into())
        );
        assert_eq!(notes[1].fields["ok"], true);
    }

    #[tokio::test]
    async fn a_list_of_ones_own_finds_what_the_server_lists_falsely() {
        let files = [(PAGE, hash("evil"), "evil")];
        let own = |files: &[(&str, &str)]| {
            files.iter().map(|(path, body)| ((*path).to_owned(), hash(body))).collect::<Hashes>()
        };
        assert!(judged(&files, None).await.0);
        assert!(!judged(&files, Some(&own(&[(PAGE, "page")]))).await.0);
        assert!(judged(&files, Some(&own(&[(PAGE, "evil")]))).await.0);
        let more = own(&[(PAGE, "evil"), ("assets/app.js", "let a;")]);
        assert!(!judged(&files, Some(&more)).await.0, "a file is not there");
    }

    #[test]
    fn a_list_holds_hashes_and_plain_paths() {
        assert!(read_list(format!("{}  a/b.js\n", hash("x")).as_bytes()).is_ok());
        for bad in ["x  a", "  a", "no hash", &format!("{}  /etc", hash("x")), &format!("{}  a b", hash("x"))]
        {
            assert!(read_list(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
