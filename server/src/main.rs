//! The home server of one organisation: `conclave-server --help` says what it can do.

fn main() -> std::process::ExitCode {
    conclave_server::operator::run()
}
