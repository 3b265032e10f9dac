//! `/v1/traces`: takes spans from any OpenTelemetry SDK, as OTLP over HTTP in protobuf or JSON.

use std::io::Read;

use axum::{
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Request, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::read::MultiGzDecoder;
use observe_wire::{DecodeError, Limits, decode, decode_json, export_response, export_response_json};

use crate::api::{ApiError, App, source::blocking};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// How much a request may hold, compressed or not.
pub(crate) fn body_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(Limits::default().bytes)
}

/// Stores the spans of one export request, all of them before it answers, which it does in the request's own encoding.
pub(crate) async fn traces(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let Encoding { is_json, gzip } = check_headers(request.headers())?;
    let body = Bytes::from_request(request, &()).await.map_err(unread)?;
    let answer = blocking(move || {
        let limits = Limits::default();
        let inflated;
        let body = match gzip {
            true => {
                inflated = inflate(&body, limits.bytes)?;
                inflated.as_slice()
            }
            false => &body,
        };
        let read = if is_json { decode_json } else { decode };
        let decoded = read(body, &limits).map_err(undecoded)?;
        app.source.write(&decoded.resources)?;
        let reason = decoded.reason.map(|reason| reason.to_string()).unwrap_or_default();
        let answer = if is_json { export_response_json } else { export_response };
        Ok(answer(decoded.rejected, &reason))
    });
    let content_type = if is_json { JSON } else { PROTOBUF };
    Ok(([(header::CONTENT_TYPE, content_type)], answer.await?).into_response())
}

/// How a body is to be read.
struct Encoding {
    is_json: bool,
    gzip: bool,
}

/// Refuses what cannot be read.
fn check_headers(headers: &HeaderMap) -> Result<Encoding, ApiError> {
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).unwrap_or_default();
    let unsupported = |message| Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    let content_type = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    let is_json = content_type.eq_ignore_ascii_case(JSON);
    if !is_json && !content_type.eq_ignore_ascii_case(PROTOBUF) {
        return unsupported(
            "OTLP is taken as application/x-protobuf or application/json: set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf or http/json",
        );
    }
    let gzip = match text(header::CONTENT_ENCODING).trim() {
        "" | "identity" => false,
        "gzip" => true,
        _ => return unsupported("only gzip is understood as a compression: send gzip or none"),
    };
    Ok(Encoding { is_json, gzip })
}

/// Decompresses, but never into more than `limit` bytes.
fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut inflated = Vec::new();
    let read = MultiGzDecoder::new(body).take(limit as u64 + 1).read_to_end(&mut inflated);
    if read.is_err() {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "the body is not valid gzip: check the compression",
        ));
    }
    if inflated.len() > limit {
        return Err(undecoded(DecodeError::TooLarge { limit }));
    }
    Ok(inflated)
}

fn unread(rejection: BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return undecoded(DecodeError::TooLarge { limit: Limits::default().bytes });
    }
    ApiError::new(rejection.status(), rejection.body_text())
}

fn undecoded(error: DecodeError) -> ApiError {
    let status = match error {
        DecodeError::Malformed => StatusCode::BAD_REQUEST,
        _ => StatusCode::PAYLOAD_TOO_LARGE,
    };
    ApiError::new(status, error.to_string())
}
