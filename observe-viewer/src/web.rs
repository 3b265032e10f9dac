//! The pages: plain files from `web/`, built into the binary.

use std::sync::LazyLock;

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use rust_embed::{Embed, EmbeddedFile};
use sha2::{Digest, Sha256};

use crate::api::{ApiError, App};

#[derive(Embed)]
#[folder = "web/"]
struct Assets;

/// The paths of the views; one page serves them all and reads the path itself.
const VIEWS: [&str; 5] = ["/", "/sessions", "/sessions/{id}", "/traces", "/traces/{id}"];

pub(crate) fn routes() -> Router<App> {
    let router = Router::new().route("/assets/{*path}", get(asset));
    VIEWS.into_iter().fold(router, |router, view| router.route(view, get(index)))
}

async fn index(headers: HeaderMap) -> Response {
    serve("index.html", &headers)
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    serve(&path, &headers)
}

fn serve(path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = Assets::get(path) else {
        return ApiError::new(StatusCode::NOT_FOUND, "no such file").into_response();
    };
    let tag = etag(&file);
    let fresh = headers.get(header::IF_NONE_MATCH).is_some_and(|v| v == tag.as_str());
    // The browser keeps files but always asks: a new version of the command shows its own page at once.
    let head = [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_TYPE, content_type(path)),
    ];
    if fresh { (StatusCode::NOT_MODIFIED, head).into_response() } else { (head, file.data).into_response() }
}

fn etag(file: &EmbeddedFile) -> String {
    format!("\"{}\"", BASE64_STANDARD.encode(&file.metadata.sha256_hash()[..12]))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

/// Puts the headers on every response that keep a page from running or asking anything but ours.
pub(crate) async fn secure(mut response: Response) -> Response {
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    response
}

/// Scripts from our own files and the one inline import map, which its digest names.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let page = Assets::get("index.html").map(|file| String::from_utf8_lossy(&file.data).into_owned());
    let map = page.as_deref().and_then(|page| page.split_once(r#"<script type="importmap">"#));
    let map = map.and_then(|(_, rest)| rest.split_once("</script>")).map_or("", |(map, _)| map);
    let digest = BASE64_STANDARD.encode(Sha256::digest(map));
    let policy = format!(
        "default-src 'none'; script-src 'self' 'sha256-{digest}'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
});
