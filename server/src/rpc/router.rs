//! From the path of a request to the service that answers it; every error leaves in one form.

use std::{collections::HashMap, convert::Infallible};

use http::{Request, Response};
use tonic::{Code, Status, body::Body, server::NamedService};
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

use super::unary;
use crate::refusal::Refusal;

/// The services of one port.
#[derive(Default)]
pub struct Router {
    services: HashMap<&'static str, BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>>,
}

impl Router {
    /// With one service more.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.services.insert(S::NAME, BoxCloneSyncService::new(service));
        self
    }

    /// Whether a request is for one of these services.
    pub fn serves(&self, path: &str) -> bool {
        service_of(path).is_some_and(|name| self.services.contains_key(name))
    }

    /// Answers a request; what tonic itself refuses gets a reason too.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let Some(service) = service_of(request.uri().path()).and_then(|name| self.services.get(name)) else {
            return Status::from(Refusal::of_status(&Status::unimplemented(""))).into_http();
        };
        let request = match unary::take(request).await {
            Ok(request) => request,
            Err(refusal) => return Status::from(refusal).into_http(),
        };
        let response = match service.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        with_reason(response)
    }
}

/// `/package.Service/Method` → `package.Service`.
fn service_of(path: &str) -> Option<&str> {
    path.strip_prefix('/')?.split_once('/').map(|(service, _)| service)
}

/// Refusals of ours carry details; one without is tonic's own, with text that shall not leave (spec: ERR-02).
fn with_reason(response: Response<Body>) -> Response<Body> {
    let Some(said) = Status::from_header_map(response.headers()) else { return response };
    if said.code() == Code::Ok || !said.details().is_empty() {
        return response;
    }
    let refusal = match said.code() {
        // The body could not be decoded: prost's errors come as INTERNAL.
        Code::Internal => Refusal::MALFORMED,
        _ => Refusal::of_status(&said),
    };
    Status::from(refusal).into_http()
}
