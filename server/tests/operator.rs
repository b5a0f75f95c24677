//! The operator's commands, driven as processes on a real server's folder.

use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_conclave-server");
const PASSWORD: &str = "correct horse";

struct Organisation {
    folder: tempfile::TempDir,
    ports: [u16; 3],
}

impl Organisation {
    fn new() -> Self {
        // Held until all are chosen, so that they differ.
        let free: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports = [0, 1, 2].map(|place: usize| free[place].local_addr().unwrap().port());
        Self { folder: tempfile::tempdir().unwrap(), ports }
    }

    fn with_keys() -> Self {
        let organisation = Self::new();
        let output = organisation.init(&[]);
        assert!(output.status.success(), "{}", errors(&output));
        organisation
    }

    fn domain(&self) -> String {
        format!("north.localhost:{}", self.ports[0])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn init(&self, more: &[&str]) -> Output {
        let (federation, media) = (self.ports[1].to_string(), self.ports[2].to_string());
        let domain = self.domain();
        let mut command = Command::new(PROGRAM);
        command.args(["init", "--domain", &domain, "--listen", "127.0.0.1", "--jurisdiction", "CH"]);
        command.args(["--federation-port", &federation, "--relay-port", &federation, "--media-port", &media]);
        command.arg("--dir").arg(self.folder.path()).args(more).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(self.path("conclave.toml")).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self.command(arguments).spawn().unwrap();
        // A program that refuses early does not read.
        let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn good(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.good(&[arguments, &["--json"]].concat(), "")).unwrap()
    }

    /// What is said about a command that must fail.
    fn refused(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(!output.status.success(), "{arguments:?} should have been refused");
        let said = errors(&output);
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    fn serve(&self) -> Running {
        let mut child = self.command(&["serve"]).stderr(Stdio::null()).spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(30);
        while std::os::unix::net::UnixStream::connect(self.path("data/admin.sock")).is_err() {
            assert_eq!(child.try_wait().unwrap(), None, "the server ended at its start");
            assert!(Instant::now() < end, "the server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Running(child)
    }
}

struct Running(Child);

impl Running {
    /// As an operator ends it.
    fn stop(mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").arg(&id).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_server_lives_from_init_to_restore() {
    let north = Organisation::with_keys();
    north.good(&["user", "add", "alice", "--display-name", "Alice North"], "correct horse\n");
    north.good(&["user", "add", "bob", "--password-stdin"], "another horse\n");
    let users = north.json(&["user", "list"]);
    assert_eq!(users["users"][0]["address"], format!("alice@{}", north.domain()));
    assert_eq!(users["users"][0]["display_name"], "Alice North");
    north.good(&["user", "passwd", "alice"], "a new password\n");
    north.good(&["user", "disable", "bob"], "");
    assert_eq!(north.json(&["user", "list"])["users"][1]["disabled"], true);
    north.good(&["peer", "approve", "south.example"], "");
    north.good(&["peer", "block", "west.example"], "");
    let peers = north.json(&["peer", "list"]);
    let decisions: Vec<_> = peers["peers"].as_array().unwrap().iter().map(|peer| &peer["decision"]).collect();
    assert_eq!(decisions, ["approved", "blocked"]);

    let file = north.path("backup");
    let backup = north.json(&["backup", file.to_str().unwrap()]);
    assert!(north.refused(&["backup", file.to_str().unwrap()], "").contains("nothing is overwritten"));
    assert!(north.refused(&["restore", file.to_str().unwrap()], "").contains("move it away first"));
    fs::rename(north.path("data/store"), north.path("old")).unwrap();
    let restored = north.good(&["restore", file.to_str().unwrap()], "");
    assert!(restored.contains(backup["summary"]["contents"].as_str().unwrap()), "{restored}");
    assert_eq!(north.json(&["user", "list"])["users"][1]["disabled"], true);

    let acts: Vec<_> = north.json(&["audit", "show"])["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["act"].as_str().unwrap().to_owned(), entry["continues"].as_bool().unwrap()))
        .collect();
    let expected =
        ["user add", "user add", "user passwd", "user disable", "peer approve", "peer block", "restore"];
    assert_eq!(acts, expected.map(|act| (act.to_owned(), true)));
    let lines = fs::read_to_string(north.path("data/audit.log")).unwrap();
    assert_eq!(lines.lines().count(), 8, "the backup itself stands in the file too:\n{lines}");
    north.good(&["check"], "");
}

#[test]
fn the_running_server_does_what_operators_ask() {
    let north = Organisation::with_keys();
    north.good(&["user", "add", "alice"], PASSWORD);
    let running = north.serve();
    north.good(&["user", "add", "bob"], PASSWORD);
    assert!(
        north.refused(&["user", "add", "bob"], PASSWORD).contains("there is a user of that name already")
    );
    assert_eq!(north.json(&["user", "list"])["users"].as_array().unwrap().len(), 2);
    let file = north.path("backup");
    let answer = north.json(&["backup", file.to_str().unwrap()]);
    assert_eq!((answer["answer"].as_str(), answer["file"].as_str()), (Some("backup"), file.to_str()));
    let left = fs::read_dir(north.path("data")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_str().unwrap().starts_with(".backup")), "a draft was left");
    let subject = north.json(&["audit", "show", "--last", "1"])["entries"][0]["subject"].clone();
    assert_eq!(subject, file.to_str().unwrap());
    let findings = north.json(&["check"]);
    let findings = findings.as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["text"].as_str().unwrap().contains("answers")));
    let socket = fs::metadata(north.path("data/admin.sock")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    running.stop();
    assert!(!north.path("data/admin.sock").exists());
    assert_eq!(north.json(&["user", "list"])["users"].as_array().unwrap().len(), 2);
    // A killed server leaves its socket behind; commands and the next server cope.
    let mut killed = north.serve();
    killed.0.kill().unwrap();
    killed.0.wait().unwrap();
    north.good(&["user", "disable", "bob"], "");
    north.serve().stop();
}

#[test]
fn wrong_input_is_answered_with_sentences() {
    let north = Organisation::with_keys();
    assert!(errors(&north.init(&[])).contains("already; nothing was changed"));
    for (arguments, input, said) in [
        (&["user", "add", "Alice"][..], PASSWORD, "a user name is 1 to 64 of a-z 0-9 . - _"),
        (&["user", "add", "alice"], "short", "a password must have 8 to 256 characters"),
        (&["user", "add", "alice"], "", "a password must have 8 to 256 characters"),
        (&["user", "disable", "nobody"], "", "there is no user of that name"),
        (&["user", "passwd", "nobody"], PASSWORD, "there is no user of that name"),
        (&["peer", "approve", "South"], "", "a domain must be a DNS name in lower case"),
        (&["peer", "approve", "s.example", "--root", "12"], "", "64 hexadecimal digits"),
        (&["restore", "/nowhere/at/all"], "", "No such file"),
        (&["descriptor", "sign", "--root", "/nowhere"], "", "--root FILE"),
        (&["user", "ad"], "", "similar"),
    ] {
        let answer = north.refused(arguments, input);
        assert!(answer.contains(said), "{arguments:?}: {answer}");
    }
    let no_config = Command::new(PROGRAM).args(["user", "list", "--config", "/nowhere"]).output().unwrap();
    assert!(errors(&no_config).contains("/nowhere cannot be read"));
    for domain in ["North", "1.2.3.4", "a_b.example"] {
        let output = Command::new(PROGRAM).args(["init", "--domain", domain]).output().unwrap();
        assert!(errors(&output).contains("a domain must be a DNS name"), "{}", errors(&output));
    }
}

#[test]
fn a_damaged_store_or_backup_is_named_with_its_remedy() {
    let north = Organisation::with_keys();
    north.good(&["user", "add", "alice"], PASSWORD);
    let file = north.path("backup");
    north.good(&["backup", file.to_str().unwrap()], "");
    let whole = fs::read(&file).unwrap();
    let tried = north.path("tried");
    for (what, bytes) in [
        ("cut", whole[..whole.len() - 90].to_vec()),
        ("flipped", {
            let mut bytes = whole.clone();
            bytes[whole.len() / 2] ^= 1;
            bytes
        }),
        ("empty", Vec::new()),
        ("other", b"something else entirely\n".repeat(9)),
    ] {
        fs::write(&tried, bytes).unwrap();
        let said = north.refused(&["restore", tried.to_str().unwrap()], "");
        assert!(said.contains("not whole or not one of ours"), "{what}: {said}");
    }
    let engine = north.path("data/store/sled/db");
    let kept = fs::read(&engine).unwrap();
    fs::write(&engine, &kept[..kept.len().min(100)]).unwrap();
    let said = north.refused(&["user", "list"], "");
    assert!(said.contains("conclave-server restore FILE"), "{said}");
    let check = north.run(&["check"], "");
    assert!(!check.status.success());
    assert!(String::from_utf8_lossy(&check.stdout).contains("BAD   store"));
    fs::remove_file(north.path("data/keys/store.key")).unwrap();
    assert!(north.refused(&["user", "list"], "").contains("store.key"));
}

#[test]
fn a_backup_goes_only_to_its_own_domain() {
    let (north, south) = (Organisation::with_keys(), Organisation::with_keys());
    north.good(&["user", "add", "alice"], PASSWORD);
    let file = north.path("backup");
    north.good(&["backup", file.to_str().unwrap()], "");
    let said = south.refused(&["restore", file.to_str().unwrap()], "");
    assert!(said.contains(&format!("the backup is of {}", north.domain())), "{said}");
}

#[test]
fn descriptors_are_signed_and_their_keys_rotated() {
    let north = Organisation::new();
    let offline = north.path("stick.key");
    assert!(north.init(&["--offline-root", offline.to_str().unwrap()]).status.success());
    assert!(!north.path("data/keys/root.key").exists());
    let root = ["--root", offline.to_str().unwrap()];
    let first = north.json(&["descriptor", "show"]);
    assert!(north.refused(&["descriptor", "sign"], "").contains("--root FILE"));

    let config = fs::read_to_string(north.path("conclave.toml")).unwrap();
    fs::write(north.path("conclave.toml"), config.replace("jurisdiction = \"CH\"", "jurisdiction = \"IN\""))
        .unwrap();
    let check = north.run(&["check"], "");
    assert!(
        String::from_utf8_lossy(&check.stdout).contains("the jurisdiction has changed since it was signed")
    );
    let second = north.json(&[&["descriptor", "sign"][..], &root].concat());
    assert_eq!((&second["serial"], &second["jurisdiction"]), (&2.into(), &"IN".into()));
    assert_eq!(second["root"], first["root"]);

    let third = north.json(&[&["descriptor", "rotate-federation"][..], &root].concat());
    assert_eq!(
        third["federation_pins"][0], first["federation_pins"][1],
        "the next key is the current one now"
    );
    assert_ne!(third["federation_pins"][1], first["federation_pins"][1]);

    let fresh = north.path("new.key");
    let new_root = ["--new-root", fresh.to_str().unwrap()];
    let fourth = north.json(&[&["descriptor", "rotate-root"][..], &root, &new_root].concat());
    assert_ne!(fourth["root"], first["root"]);
    assert_eq!((&fourth["serial"], &fourth["root_changes"]), (&4.into(), &1.into()));
    let old = north.refused(&[&["descriptor", "sign"][..], &root].concat(), "");
    assert!(old.contains("not the root key of the descriptor"), "{old}");
    north.serve().stop();
    assert_eq!(north.json(&["audit", "show"])["entries"].as_array().unwrap().len(), 3);
    north.good(&["check"], "");
}

#[test]
fn keys_are_made_for_a_configuration_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my.toml");
    fs::write(&file, "domain = \"north.example\"\ndata = \"elsewhere\"\n").unwrap();
    let init = |domain: &str| {
        Command::new(PROGRAM).arg("--config").arg(&file).args(["init", "--domain", domain]).output().unwrap()
    };
    assert!(errors(&init("south.example")).contains("is for north.example"));
    assert!(init("north.example").status.success());
    assert!(Path::new(&folder.path().join("elsewhere/keys/root.key")).exists());
    assert!(errors(&init("north.example")).contains("there are keys"));
}

impl Organisation {
    /// What `check` and `serve` say of a server with something changed; both must refuse, and go on when it is undone.
    fn broken(&self, file: &str, change: impl Fn(String) -> String, said: &str) {
        let file = self.path(file);
        let whole = fs::read_to_string(&file).unwrap();
        fs::write(&file, change(whole.clone())).unwrap();
        self.both_say(said);
        fs::write(&file, whole).unwrap();
        self.good(&["check"], "");
    }

    fn both_say(&self, said: &str) {
        let check = self.run(&["check"], "");
        let text = String::from_utf8_lossy(&check.stdout).into_owned();
        assert!(!check.status.success(), "check should find: {said}\n{text}");
        assert!(text.lines().any(|line| line.starts_with("BAD ")) && text.contains(said), "{said}: {text}");
        let serve = self.refused(&["serve"], "");
        assert!(serve.contains(said), "{said}: {serve}");
        let once = serve.split(": ").collect::<Vec<_>>();
        assert!(once.windows(2).all(|pair| pair[0].trim() != pair[1].trim()), "said twice: {serve}");
    }
}

#[test]
fn a_broken_configuration_is_named_with_its_remedy() {
    let north = Organisation::with_keys();
    let [public, federation, media] = north.ports.map(|port| format!("\"127.0.0.1:{port}\""));
    let set = |from: &str, to: &str| {
        let (from, to) = (from.to_owned(), to.to_owned());
        move |text: String| {
            assert!(text.contains(&from), "{from}");
            text.replace(&from, &to)
        }
    };
    for (from, to, said) in [
        ("threads = 1", "treads = 1", "unknown field `treads`"),
        ("threads = 1", "threads =", "TOML parse error at line"),
        ("threads = 1", "threads = 0", "media.threads must be at least 1"),
        ("level = \"info\"", "level = \"a=b=c\"", "log.level \"a=b=c\""),
        ("data = \"data\"", "data = \"nowhere\"", "make a new server with"),
        ("ca_files = []", "ca_files = [\"no.pem\"]", "no.pem"),
        ("certificate = \"keys/public.pem\"", "certificate = \"no.pem\"", "public.certificate"),
        (&federation, "\"192.0.2.77:7441\"", "no network interface of this machine has this address"),
        (&federation, &public, "federation.listen must not be the port of public.listen"),
        (&media, &federation, "media.listen must leave relay.listen its port"),
    ] {
        north.broken("conclave.toml", set(from, to), said);
    }
    // The domain is in the certificates and the descriptor too.
    let domain = format!("domain = \"{}\"", north.domain());
    north.broken("conclave.toml", set(&domain, "domain = \"west.localhost:1\""), "descriptor sign");
}

#[test]
fn a_port_in_use_is_named() {
    let north = Organisation::with_keys();
    let [public, federation, media] = north.ports;
    for (setting, port) in [("public.listen", public), ("federation.listen", federation)] {
        let _other = TcpListener::bind(("127.0.0.1", port)).unwrap();
        north.both_say(&format!("{setting} 127.0.0.1:{port} is in use"));
    }
    for (setting, port) in [("relay.listen", federation), ("media.listen", media)] {
        let _other = std::net::UdpSocket::bind(("127.0.0.1", port)).unwrap();
        north.both_say(&format!("{setting} 127.0.0.1:{port} is in use"));
    }
    north.good(&["check"], "");
}

#[test]
fn wrong_keys_are_named_with_their_remedy() {
    let north = Organisation::with_keys();
    let other = |_| format!("{}\n", "07".repeat(32));
    north.broken("data/keys/signing.key", other, "is not the key that the descriptor names");
    north.broken("data/keys/device-ca.key", other, "descriptor sign");
    north.broken("data/keys/signing.key", |_| "garbage".to_owned(), "64 hexadecimal digits");
    north.broken("data/keys/federation.pem", |_| "garbage".to_owned(), "in PEM");
    let swap = |_| fs::read_to_string(north.path("data/keys/federation-next.pem")).unwrap();
    north.broken("data/keys/federation.pem", swap, "do not belong together");
    let key = north.path("data/keys/signing.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    north.both_say("chmod 600");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(north.path("data/keys"), north.path("away")).unwrap();
    north.both_say("data/keys");
    fs::rename(north.path("away"), north.path("data/keys")).unwrap();
    north.good(&["check"], "");
}

#[test]
fn an_expired_certificate_is_bad_and_one_for_another_name() {
    let north = Organisation::with_keys();
    for (name, until, said) in [
        ("north.localhost", 2021, "it has expired"),
        ("west.localhost", 2100, "it is not for north.localhost"),
    ] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        fs::write(north.path("data/keys/public.key"), key.serialize_pem()).unwrap();
        fs::write(north.path("data/keys/public.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        let check = north.run(&["check"], "");
        assert!(!check.status.success());
        let text = String::from_utf8_lossy(&check.stdout).into_owned();
        assert!(text.contains(&format!("BAD   HTTPS certificate: {said}")), "{text}");
    }
}
