//! A layer for servers made of `tower` services, like axum's.

use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::extract;
use crate::Scoped;

/// Handles every request in the scope of what arrived in its headers ([`extract`]), and opens no span by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExtractLayer;

impl<S> Layer<S> for ExtractLayer {
    type Service = Extract<S>;

    fn layer(&self, inner: S) -> Extract<S> {
        Extract { inner }
    }
}

/// A service behind an [`ExtractLayer`].
#[derive(Debug, Clone)]
pub struct Extract<S> {
    inner: S,
}

impl<S, B> Service<http::Request<B>> for Extract<S>
where
    S: Service<http::Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Scoped<S::Future>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let scope = extract(request.headers());
        // What a service does before it gives its future belongs to the request too.
        let future = scope.clone().sync_scope(|| self.inner.call(request));
        scope.scope(future)
    }
}
