//! Destinations of a program, read from `strace -f -e trace=%network`.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result};

/// Whom a program contacted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Destinations {
    /// `connect` and `sendto` and `sendmsg` to `ADDRESS:PORT`.
    pub(crate) internet: BTreeSet<String>,
    /// Addresses from which something was accepted or received.
    pub(crate) heard_from: BTreeSet<String>,
    /// Sockets that are no internet sockets, by kind and name.
    pub(crate) local: BTreeSet<String>,
    /// Lines that name an address and were not understood: none is expected.
    pub(crate) unread: Vec<String>,
}

/// Reads one trace.
pub(crate) fn read(trace: &Path) -> Result<Destinations> {
    let text = fs::read_to_string(trace).with_context(|| format!("cannot read {}", trace.display()))?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Destinations {
    let mut destinations = Destinations::default();
    for line in text.lines() {
        if hears(line) {
            let addresses = line.split("sa_family=").skip(1).filter_map(internet);
            destinations.heard_from.extend(addresses);
        }
        if !sends(line) {
            continue;
        }
        for address in line.split("sa_family=").skip(1) {
            let family: String =
                address.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            match family.as_str() {
                "AF_INET" | "AF_INET6" => match internet(address) {
                    Some(found) => drop(destinations.internet.insert(found)),
                    None => destinations.unread.push(line.to_owned()),
                },
                "AF_UNSPEC" => {}
                _ => drop(destinations.local.insert(local(&family, address))),
            }
        }
    }
    destinations
}

/// Calls that choose a destination. What is received or accepted, and own names, are no contact made by the program.
fn sends(line: &str) -> bool {
    ["connect(", "sendto(", "sendmsg(", "sendmmsg(", "connect resumed", "sendto resumed", "sendmsg resumed"]
        .iter()
        .any(|call| line.contains(call))
}

/// Calls that tell who sent something here.
fn hears(line: &str) -> bool {
    [
        "accept(",
        "accept4(",
        "recvfrom(",
        "recvmsg(",
        "recvmmsg(",
        "accept resumed",
        "accept4 resumed",
        "recvfrom resumed",
        "recvmsg resumed",
        "recvmmsg resumed",
    ]
    .iter()
    .any(|call| line.contains(call))
}

fn internet(address: &str) -> Option<String> {
    let port = between(address, "htons(", ")")?;
    let host = between(address, "inet_addr(\"", "\")")
        .or_else(|| between(address, "inet_pton(AF_INET6, \"", "\""))?;
    Some(format!("{host}:{port}"))
}

fn local(family: &str, address: &str) -> String {
    let name = between(address, "sun_path=\"", "\"").or_else(|| between(address, "sun_path=@\"", "\""));
    format!("{family} {}", name.unwrap_or_default())
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read_and_received_ones_are_not() {
        let text = r#"12 connect(9, {sa_family=AF_INET, sin_port=htons(7444), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
13 sendmsg(9, {msg_name={sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("10.0.0.9")}, msg_namelen=16}, 0) = 5
14 recvfrom(9, "x", 1, 0, {sa_family=AF_INET, sin_port=htons(1), sin_addr=inet_addr("8.8.8.8")}, [16]) = 1
15 connect(9, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = 0
16 connect(9, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1
17 connect(9, {sa_family=AF_INET, what?"#;
        let found = parse(text);
        assert_eq!(
            found.internet.into_iter().collect::<Vec<_>>(),
            ["10.0.0.9:9", "127.0.0.1:7444", "::1:443"]
        );
        assert_eq!(found.local.into_iter().collect::<Vec<_>>(), ["AF_UNIX /var/run/nscd/socket"]);
        assert_eq!(found.unread.len(), 1);
    }
}
