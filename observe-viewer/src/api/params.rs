//! Query parameters. Unknown ones and bad values are refused by name: a misspelt filter must not match everything.

use axum::{
    extract::{FromRequestParts, Query},
    http::{StatusCode, request::Parts},
};
use observe_model::{Status, TraceId};
use observe_store::{RecordQuery, SessionQuery, TraceQuery};
use serde::{Deserialize, de::DeserializeOwned};

use super::ApiError;

/// The query string as a `T`.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => {
                let text = rejection.body_text();
                let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(ApiError::new(StatusCode::BAD_REQUEST, format!("bad query: {text}")))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionParams {
    pub(crate) project: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionsParams {
    project: Option<String>,
    #[serde(default)]
    limit: Limit,
    after: Option<String>,
}

impl From<SessionsParams> for SessionQuery {
    fn from(SessionsParams { project, limit, after }: SessionsParams) -> Self {
        Self { project, limit: limit.0, after }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TracesParams {
    project: Option<String>,
    session: Option<String>,
    status: Option<Status>,
    #[serde(default)]
    limit: Limit,
    after: Option<String>,
}

impl From<TracesParams> for TraceQuery {
    fn from(TracesParams { project, session, status, limit, after }: TracesParams) -> Self {
        Self { project, session, status, limit: limit.0, after }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordsParams {
    project: Option<String>,
    name: Option<String>,
    trace: Option<TraceId>,
    session: Option<String>,
    #[serde(default)]
    limit: Limit,
    after: Option<String>,
}

impl From<RecordsParams> for RecordQuery {
    fn from(RecordsParams { project, name, trace, session, limit, after }: RecordsParams) -> Self {
        Self { project, name, trace, session, limit: limit.0, after }
    }
}

/// How many rows, from 1 to 1000; 50 unless said.
#[derive(Deserialize)]
#[serde(try_from = "usize")]
struct Limit(usize);

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<usize> for Limit {
    type Error = &'static str;

    fn try_from(limit: usize) -> Result<Self, &'static str> {
        if (1..=1000).contains(&limit) { Ok(Self(limit)) } else { Err("expected a number from 1 to 1000") }
    }
}
