//! Connecting to names that others choose: resolve once, keep to addresses that are meant for the public, dial what was resolved.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

/// How long one address may take to answer.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long the resolver may take.
const RESOLVE_TIME: Duration = Duration::from_secs(5);
/// Most addresses tried for one name.
const ADDRESSES: usize = 4;

/// No connection came about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name does not resolve.
    #[error("the name cannot be resolved")]
    Unresolved,
    /// The name leads only to addresses inside some private network.
    #[error("the name leads to a private address, which the configuration does not allow")]
    Private,
    /// Nobody answers.
    #[error("no address could be reached: {0}")]
    Unreachable(io::Error),
}

/// Which addresses may be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of the public internet only.
    Public,
    /// Private and loopback ones too; for closed networks and tests.
    Anywhere,
}

/// The addresses of `host`, filtered; each is safe to dial as it stands.
pub async fn resolve(host: &str, port: u16, reach: Reach) -> Result<Vec<SocketAddr>, Error> {
    resolve_by(host, port, reach, ask_system).await
}

async fn ask_system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if host == "localhost" || host.ends_with(".localhost") {
        // RFC 6761 section 6.3; the system resolver does not know it everywhere.
        return Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]);
    }
    Ok(lookup_host((host, port)).await?.collect())
}

async fn resolve_by(
    host: &str,
    port: u16,
    reach: Reach,
    ask: impl AsyncFn(&str, u16) -> io::Result<Vec<SocketAddr>>,
) -> Result<Vec<SocketAddr>, Error> {
    let answer = timeout(RESOLVE_TIME, ask(host, port)).await;
    let found = answer.map_err(|_| Error::Unresolved)?.map_err(|_| Error::Unresolved)?;
    if found.is_empty() {
        return Err(Error::Unresolved);
    }
    let allowed = |address: &SocketAddr| reach == Reach::Anywhere || is_public(address.ip());
    let kept: Vec<_> = found.into_iter().filter(allowed).take(ADDRESSES).collect();
    if kept.is_empty() { Err(Error::Private) } else { Ok(kept) }
}

/// Connects to the first address of `host` that answers.
pub async fn dial(host: &str, port: u16, reach: Reach) -> Result<TcpStream, Error> {
    connect(resolve(host, port, reach).await?).await
}

/// Dials what was resolved and filtered; no name is looked up again, whatever it may mean by now (spec: FED-05).
async fn connect(addresses: Vec<SocketAddr>) -> Result<TcpStream, Error> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(Error::Unreachable)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(Error::Unreachable(last))
}

/// Whether an address belongs to the public internet, by the registries of RFC 6890 and its successors.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // IPv4-mapped, NAT64's well-known prefix and 6to4: what counts is the address inside.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
        // Protocol assignments with Teredo and ORCHID, documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;

    #[test]
    fn fed_05_r14_private_addresses_are_told_from_public_ones() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:a00:1::1",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn fed_05_r14_a_name_that_means_something_else_a_moment_later_is_dialled_as_it_was_checked() {
        let bind = || tokio::net::TcpListener::bind("127.0.0.1:0");
        let (first, second) = (bind().await.unwrap(), bind().await.unwrap());
        let answers = [first.local_addr().unwrap(), second.local_addr().unwrap()];
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let rebinding = async |_: &str, _: u16| {
            let turn = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(vec![answers[turn.min(1)]])
        };
        let resolved = resolve_by("evil.example", 443, Reach::Anywhere, rebinding).await.unwrap();
        let stream = connect(resolved).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), answers[0]);
        assert_eq!(asked.into_inner(), 1, "one question, and its answer is what is dialled");
        // Of several answers only those that may be dialled are left.
        let mixed = async |_: &str, _: u16| Ok(vec![answers[1], "1.1.1.1:443".parse().unwrap()]);
        let resolved = resolve_by("evil.example", 443, Reach::Public, mixed).await.unwrap();
        assert_eq!(resolved, ["1.1.1.1:443".parse().unwrap()]);
    }

    #[tokio::test]
    async fn fed_05_r14_a_name_of_a_private_address_is_not_dialled() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["north.localhost", "127.0.0.1", "::ffff:127.0.0.1", "localhost"] {
            assert!(matches!(dial(host, port, Reach::Public).await, Err(Error::Private)), "{host}");
        }
        assert!(dial("north.localhost", port, Reach::Anywhere).await.is_ok());
    }
}
