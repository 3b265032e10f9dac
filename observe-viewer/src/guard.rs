//! Who may ask: people on this machine, or whoever knows the token, and no other web site in their browser.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::api::ApiError;

/// The rules for one listener.
#[derive(Clone)]
pub(crate) struct Guard(Option<Arc<Secret>>);

struct Secret {
    /// The token's digest: equal lengths, so that comparing tells nothing about the token's own.
    digest: [u8; 32],
    /// The cookie's name; cookies do not tell ports apart, so the name does.
    cookie: String,
}

impl Guard {
    /// Without a token only this machine is let in.
    pub(crate) fn new(token: Option<&str>, port: u16) -> Self {
        Self(token.map(|token| {
            Arc::new(Secret { digest: Sha256::digest(token).into(), cookie: format!("observe_{port}") })
        }))
    }

    /// Lets the request through (with a cookie to set, if it brought the token in its address), or says why not.
    fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Option<HeaderValue>, ApiError> {
        same_site(method, headers)?;
        match &self.0 {
            None => local_host(headers).map(|()| None),
            Some(secret) => secret.admit(uri, headers),
        }
    }
}

impl Secret {
    fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<Option<HeaderValue>, ApiError> {
        let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
        let bearer = text(header::AUTHORIZATION).and_then(|v| v.strip_prefix("Bearer "));
        if bearer.is_some_and(|token| self.is(Sha256::digest(token).as_slice())) {
            return Ok(None);
        }
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        let mut pairs = cookies.flat_map(|v| v.split(';')).filter_map(|pair| pair.trim().split_once('='));
        if pairs.any(|(name, value)| name == self.cookie && self.is(&unhex(value))) {
            return Ok(None);
        }
        if !is_machine_path(uri.path())
            && query_token(uri).is_some_and(|token| self.is(Sha256::digest(token).as_slice()))
        {
            return Ok(self.cookie());
        }
        Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "the token is missing or wrong: open the page once with ?token=TOKEN, or send Authorization: Bearer TOKEN",
        ))
    }

    fn is(&self, digest: &[u8]) -> bool {
        self.digest.ct_eq(digest).into()
    }

    /// The cookie holds the digest, so that the token itself lies nowhere on the browser's disk.
    fn cookie(&self) -> Option<HeaderValue> {
        let digest: String = self.digest.iter().map(|b| format!("{b:02x}")).collect();
        let cookie = format!("{}={digest}; Path=/; HttpOnly; SameSite=Strict", self.cookie);
        HeaderValue::try_from(cookie).ok()
    }
}

/// The middleware that asks the guard.
pub(crate) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let machine = is_machine_path(request.uri().path());
    match guard.admit(request.method(), request.uri(), request.headers()) {
        Ok(cookie) => {
            let mut response = next.run(request).await;
            if let Some(cookie) = cookie {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(error) if machine => error.into_response(),
        // A person reads this one.
        Err(error) => (error.status, error.message).into_response(),
    }
}

/// Paths that programs ask, not people.
fn is_machine_path(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/v1/")
}

/// Refuses what another site's page makes the browser send; following a link from there is fine.
fn same_site(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let is = |name, value| headers.get(name).is_some_and(|v: &HeaderValue| v == value);
    let foreign = is("sec-fetch-site", "cross-site") || is("sec-fetch-site", "same-site");
    let followed_link =
        *method == Method::GET && is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
    // Older browsers send no sec-fetch headers, but they do name the page's origin where it matters.
    let origin = headers.get(header::ORIGIN).map(|v| v.to_str().unwrap_or_default());
    let host = headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let foreign_origin = origin.is_some_and(|o| o.split_once("://").is_none_or(|(_, o)| o != host));
    if (foreign && !followed_link) || foreign_origin {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "another site's page may not ask here"));
    }
    Ok(())
}

/// Refuses names that merely resolve to this machine, which is how a hostile site would read a loopback server.
fn local_host(headers: &HeaderMap) -> Result<(), ApiError> {
    let host =
        headers.get(header::HOST).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<Authority>().ok());
    let local = host.as_ref().is_some_and(|host| {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    });
    if !local {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "without a token only this machine may ask, as localhost or 127.0.0.1: start with --token to use another name",
        ));
    }
    Ok(())
}

/// The query's `token`, decoded.
fn query_token(uri: &Uri) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Query {
        token: Option<String>,
    }
    axum::extract::Query::<Query>::try_from_uri(uri).ok()?.0.token
}

/// The bytes of hexadecimal digits; as far as they are some.
fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map_while(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
