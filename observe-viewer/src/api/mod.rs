//! `/api/v1`: the questions of the store, as JSON over HTTP. `openapi.json` describes it.

mod error;
mod events;
mod params;
pub(crate) mod source;

#[cfg(test)]
mod contract;

use std::path::PathBuf;

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use observe_model::TraceId;
use observe_store::{Page, Store};

pub(crate) use error::ApiError;
use events::Changes;
use params::{NoParams, Params, RecordsParams, SessionParams, SessionsParams, TracesParams};
pub(crate) use source::Source;

use crate::receive;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct App {
    /// Where answers come from and received spans go.
    pub(crate) source: Source,
    changes: Changes,
}

impl App {
    /// The application, and the task that watches its database, to be run beside it.
    pub(crate) fn new(database: PathBuf) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let source = Source::new(database);
        let (changes, watch) = events::watch(source.clone());
        (Self { source, changes }, watch)
    }
}

/// Every route that `openapi.json` describes.
pub(crate) fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/api/v1/sessions", get(sessions)),
        ("/api/v1/sessions/{id}", get(session)),
        ("/api/v1/traces", get(traces)),
        ("/api/v1/traces/{id}", get(trace)),
        ("/api/v1/scores", get(scores)),
        ("/api/v1/metrics", get(metrics)),
        ("/api/v1/events", get(events)),
        ("/api/v1/openapi.json", get(openapi)),
        ("/v1/traces", post(receive::traces).layer(receive::body_limit())),
    ]
}

/// The list of a database that is not there yet.
fn nothing<T>() -> Page<T> {
    Page { items: Vec::new(), next: None }
}

type Answer = Result<Response, ApiError>;

async fn sessions(State(app): State<App>, Params(params): Params<SessionsParams>) -> Answer {
    let query = params.into();
    app.source.answer(move |store| store.sessions(&query).map(Some), Some(nothing())).await
}

async fn session(
    State(app): State<App>,
    Path(id): Path<String>,
    Params(params): Params<SessionParams>,
) -> Answer {
    let project = params.project;
    app.source.answer(move |store| store.session(project.as_deref(), &id), None).await
}

async fn traces(State(app): State<App>, Params(params): Params<TracesParams>) -> Answer {
    let query = params.into();
    app.source.answer(move |store| store.traces(&query).map(Some), Some(nothing())).await
}

async fn trace(
    State(app): State<App>,
    Path(id): Path<String>,
    Params(NoParams {}): Params<NoParams>,
) -> Answer {
    let id: TraceId = id.parse().map_err(|e| ApiError::new(StatusCode::BAD_REQUEST, format!("{e}")))?;
    app.source.answer(move |store| store.trace(id), None).await
}

async fn scores(State(app): State<App>, Params(params): Params<RecordsParams>) -> Answer {
    let query = params.into();
    app.source.answer(move |store| store.scores(&query).map(Some), Some(nothing())).await
}

async fn metrics(State(app): State<App>, Params(params): Params<RecordsParams>) -> Answer {
    let query = params.into();
    app.source.answer(move |store| store.metrics(&query).map(Some), Some(nothing())).await
}

async fn events(State(app): State<App>, Params(NoParams {}): Params<NoParams>) -> Response {
    app.changes.stream().into_response()
}

async fn openapi(Params(NoParams {}): Params<NoParams>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("../../openapi.json")).into_response()
}

/// What is asked of a path that is none of ours.
pub(crate) async fn no_such_route() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no such page; /api/v1/openapi.json lists what can be asked")
}

/// What is asked with another method than the route has.
pub(crate) async fn wrong_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this route does not take that method; see /api/v1/openapi.json",
    )
}
