//! One organisation of the demo: a home server with its own folder, ports and accounts, driven from outside.

use std::{
    ffi::OsStr,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use crate::{grpc, process::Process, scene::PLANTED};

/// A home server and all that belongs to it.
pub(crate) struct Organisation {
    /// With its port.
    pub(crate) domain: String,
    /// Configuration, data, log.
    pub(crate) folder: PathBuf,
    /// Ports of the server.
    pub(crate) ports: Ports,
    program: PathBuf,
    process: Option<Process>,
}

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    /// Clients and discovery, TCP.
    pub(crate) public: u16,
    /// Peers (TCP) and relay (UDP).
    pub(crate) federation: u16,
    /// Media of clients, UDP.
    pub(crate) media: u16,
}

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Start {
    /// Where the wiretap build records.
    pub(crate) wiretap: Option<PathBuf>,
    /// Where the server's network calls are traced.
    pub(crate) trace: Option<PathBuf>,
}

/// How long a server may take to answer after its start.
const START: Duration = Duration::from_secs(30);
/// How long it may take to stop.
const STOP: Duration = Duration::from_secs(20);

impl Ports {
    /// Ports that are free now, TCP and UDP.
    pub(crate) fn free() -> Result<Self> {
        let free = || -> Result<(TcpListener, UdpSocket, u16)> {
            for _ in 0..50 {
                let tcp = TcpListener::bind(("127.0.0.1", 0))?;
                let port = tcp.local_addr()?.port();
                if let Ok(udp) = UdpSocket::bind(("127.0.0.1", port)) {
                    return Ok((tcp, udp, port));
                }
            }
            bail!("no free port")
        };
        // All are held until all are chosen, so that they differ.
        let (public, federation, media) = (free()?, free()?, free()?);
        Ok(Self { public: public.2, federation: federation.2, media: media.2 })
    }
}

impl Organisation {
    /// Sets one up in its folder, unless that was done before: keys, configuration. The server is not started.
    pub(crate) fn init(
        program: &Path,
        name: &str,
        folder: &Path,
        ports: Ports,
        trusted: &[PathBuf],
    ) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let organisation = Self {
            domain: format!("{name}.localhost:{}", ports.public),
            folder: folder.to_path_buf(),
            ports,
            program: program.to_path_buf(),
            process: None,
        };
        if organisation.config().is_file() {
            return Ok(organisation);
        }
        let mut command = Command::new(program);
        command.args(["init", "--domain", &organisation.domain, "--listen", "127.0.0.1", "--allow-private"]);
        command.arg("--dir").arg(folder);
        for (option, port) in [
            ("--http-port", ports.public),
            ("--federation-port", ports.federation),
            ("--relay-port", ports.federation),
            ("--media-port", ports.media),
        ] {
            command.args([option, &port.to_string()]);
        }
        for file in trusted {
            command.arg("--ca").arg(file);
        }
        finish(command, None)?;
        Ok(organisation)
    }

    /// Where its page is served over plain HTTP, which browsers take for secure on `*.localhost`.
    pub(crate) fn page(&self) -> String {
        let host = self.domain.split(':').next().unwrap_or_default();
        format!("http://{host}:{}/", self.plain_port())
    }

    /// Serves its page over plain HTTP too, from its next start: no browser trusts the certificate that it made itself.
    pub(crate) fn serve_plainly(&self) -> Result<()> {
        let text = fs::read_to_string(self.config())?;
        if text.contains("\nplain_loopback = ") {
            return Ok(());
        }
        let line = format!("\n[web]\nplain_loopback = \"127.0.0.1:{}\"\n", self.plain_port());
        Ok(fs::write(self.config(), text.replacen("\n[web]\n", &line, 1))?)
    }

    /// Beside the ports that peers and devices know.
    const fn plain_port(&self) -> u16 {
        self.ports.public.saturating_sub(363) // 7443 → 7080
    }

    /// Where the certificate of an organisation in this folder lies.
    pub(crate) fn certificate_in(folder: &Path) -> PathBuf {
        folder.join("data/keys/public.pem")
    }

    /// Lets the server run as another program from its next start: one with a test-only feature, or back.
    pub(crate) fn run_as(&mut self, program: &Path) {
        self.program = program.to_path_buf();
    }

    /// Adds an account.
    pub(crate) fn add_user(&self, user: &str, password: &str) -> Result<()> {
        self.admin(&["user", "add", user, "--password-stdin"], Some(password)).map(drop)
    }

    /// Runs an operator's command to its end.
    pub(crate) fn admin(&self, arguments: &[&str], input: Option<&str>) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.config()).args(arguments);
        finish(command, input)
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn start(&mut self, how: &Start) -> Result<Duration> {
        ensure!(self.process.is_none(), "{} runs already", self.domain);
        let mut command = match &how.trace {
            Some(file) => {
                let mut command = Command::new("strace");
                command
                    // Daemonised: the server stays our own child, with its own process id and signals.
                    .args(["-D", "-f", "-q", "-s", "4", "-e", "abbrev=none", "-e", "trace=%network", "-o"])
                    .arg(file)
                    .arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.arg("--config").arg(self.config()).arg("serve");
        if let Some(folder) = &how.wiretap {
            fs::create_dir_all(folder)?;
            command.env("CONCLAVE_WIRETAP_DIR", folder).env("PLANTED", OsStr::from_bytes(PLANTED));
        }
        let started = Instant::now();
        self.process = Some(Process::start(&self.domain, &mut command, &self.log())?);
        self.wait_ready()?;
        Ok(started.elapsed())
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.take().context("it does not run")?.kill()
    }

    /// Ends it as an operator would.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("it does not run")?;
        let status = process.stop(STOP)?;
        ensure!(status.success(), "{} stopped with {status}\n{}", self.domain, process.tail());
        Ok(())
    }

    /// Whether it runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.ended(Duration::ZERO), Ok(None)))
    }

    /// The process id of the running server.
    pub(crate) fn id(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("it does not run")?.id())
    }

    /// The certificate that its clients and peers trust in the demo.
    pub(crate) fn certificate(&self) -> PathBuf {
        Self::certificate_in(&self.folder)
    }

    /// Keys and store.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What the server writes about its running.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// The server's configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("conclave.toml")
    }

    fn wait_ready(&mut self) -> Result<()> {
        let tls = grpc::trust(&self.certificate())?;
        let end = Instant::now() + START;
        loop {
            let answer = get(&self.domain, &tls, "/readyz");
            if answer.as_ref().is_ok_and(|text| text.starts_with("HTTP/1.1 200")) {
                return Ok(());
            }
            let process = self.process.as_mut().context("it does not run")?;
            if process.ended(Duration::ZERO)?.is_some() {
                bail!("{} ended at its start\n{}", self.domain, process.tail());
            }
            if Instant::now() > end {
                bail!("{} is not ready: {answer:?}\n{}", self.domain, process.tail());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Runs a command to its end; fails if it does.
fn finish(mut command: Command, input: Option<&str>) -> Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        writeln!(stdin, "{input}")?;
    }
    let output = child.wait_with_output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {errors}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// One HTTP/1.1 request to a server on this machine; the whole answer.
pub(crate) fn get(domain: &str, tls: &Arc<ClientConfig>, path: &str) -> Result<String> {
    let (host, port) = domain.split_once(':').context("the domain has no port")?;
    let mut config = (**tls).clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from(host.to_owned())?)?;
    let tcp = TcpStream::connect(("127.0.0.1", port.parse()?))?;
    tcp.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut stream = StreamOwned::new(connection, tcp);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {domain}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // Some servers close without TLS's goodbye; the answer is whole nevertheless.
        Err(error) if answer.is_empty() => Err(error.into()),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}
