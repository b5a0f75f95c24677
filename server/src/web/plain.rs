//! Plain HTTP at the public port: whoever comes so from this machine is shown the way to `plain_loopback`, for demonstrations.
//!
//! A browser that is handed to another server of the same demonstration knows that server's domain alone.

use std::{convert::Infallible, io, time::Duration};

use http::{HeaderValue, Request, Response, StatusCode, header, uri::Authority};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, time::timeout};
use tonic::body::Body;

/// One request and its answer must be done within this time.
const WITHIN: Duration = Duration::from_secs(10);

/// Whether a connection begins as HTTP does. As media this would be a packet of 16 KiB or more, longer than any.
pub async fn begins_as_http(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    timeout(WITHIN, stream.peek(&mut first)).await??;
    Ok(first[0].is_ascii_uppercase())
}

/// Answers one request with the same address at another port of the same loopback name.
pub async fn show_the_way(stream: TcpStream, port: u16) -> io::Result<()> {
    let service = service_fn(move |request| async move { Ok::<_, Infallible>(elsewhere(&request, port)) });
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new()).keep_alive(false).max_headers(64);
    timeout(WITHIN, connection.serve_connection(TokioIo::new(stream), service))
        .await?
        .map_err(io::Error::other)
}

fn elsewhere(request: &Request<Incoming>, port: u16) -> Response<Body> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut response = Response::new(Body::empty());
    let place = place(host, port, path);
    *response.status_mut() =
        if place.is_some() { StatusCode::TEMPORARY_REDIRECT } else { StatusCode::BAD_REQUEST };
    if let Some(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Only names of this machine: a redirection to wherever a request says would serve those who deceive.
fn place(host: &str, port: u16, path: &str) -> Option<HeaderValue> {
    let authority = host.parse::<Authority>().ok()?;
    let name = authority.host();
    let is_here = name == "127.0.0.1" || name == "localhost" || name.ends_with(".localhost");
    (is_here && path.starts_with('/')).then(|| format!("http://{name}:{port}{path}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_shown_to_names_of_this_machine_alone() {
        let way = |host: &str| place(host, 8080, "/m/a@b").map(|place| place.to_str().unwrap().to_owned());
        assert_eq!(way("north.localhost:7443").as_deref(), Some("http://north.localhost:8080/m/a@b"));
        assert_eq!(way("127.0.0.1").as_deref(), Some("http://127.0.0.1:8080/m/a@b"));
        for elsewhere in
            ["north.example", "localhost.example:80", "a@evil.example", "", "north.localhost@evil.example"]
        {
            assert_eq!(way(elsewhere), None, "{elsewhere}");
        }
        assert_eq!(
            place("localhost", 8080, "//evil.example").unwrap(),
            "http://localhost:8080//evil.example"
        );
    }
}
