//! gRPC-Web, for browsers: the same calls in a form that a page can make.

use std::convert::Infallible;

use http::{Request, Response, header};
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt, service_fn};

/// Whether a page makes this call.
pub fn is_grpc_web<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc-web"))
}

/// Answers it by what answers gRPC.
pub async fn answer<F, Fut>(request: Request<Body>, grpc: F) -> Response<Body>
where
    F: Fn(Request<Body>) -> Fut,
    Fut: Future<Output = Response<Body>>,
{
    let service = service_fn(|request| {
        let answer = grpc(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    match GrpcWebLayer::new().layer(service).oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
