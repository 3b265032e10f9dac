//! Posts a request over HTTP.

use std::{future::Future, io::Write as _, time::Duration};

use flate2::{Compression, write::GzEncoder};
use reqwest::{
    Client,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER},
    redirect,
};

use super::{parcel::Parcel, verdict::Answer};
use crate::capture;

/// Bytes of an answer that are read. The specification's limit for what a client must take is as large.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// The receiver was not there, or the connection broke.
    ForNow(String),
    /// The request cannot be made.
    ForGood(String),
}

/// Takes a request to its receiver.
pub(super) trait Transport: Send + Sync + 'static {
    /// The answer, or why there is none.
    fn post(&self, parcel: &Parcel) -> impl Future<Output = Result<Answer, Lost>> + Send;
}

/// HTTP or HTTPS.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    gzip: bool,
}

impl Http {
    /// A client that sends `headers` with every request.
    ///
    /// # Errors
    /// If a header is none that HTTP allows, or the system's certificates cannot be read.
    pub(super) fn new(headers: &[(String, String)], timeout: Duration, gzip: bool) -> Result<Self, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let pair = (HeaderName::try_from(name), HeaderValue::try_from(value));
            let (Ok(name), Ok(mut value)) = pair else {
                return Err(format!(
                    "the header `{name}` is none that HTTP allows: it needs a name of letters and a value in ASCII"
                ));
            };
            value.set_sensitive(true);
            map.insert(name, value);
        }
        // What was recorded, and the keys, go where the settings say and nowhere else.
        let builder =
            Client::builder().default_headers(map).timeout(timeout).redirect(redirect::Policy::none());
        let client =
            builder.build().map_err(|error| format!("no HTTP client: {}", capture::chain(&error)))?;
        Ok(Self { client, gzip })
    }
}

impl Transport for Http {
    async fn post(&self, parcel: &Parcel) -> Result<Answer, Lost> {
        let mut request = self.client.post(&*parcel.url).header(CONTENT_TYPE, parcel.content.mime());
        let compressed = if self.gzip { gzip(&parcel.body) } else { None };
        request = match compressed {
            Some(body) => request.header(CONTENT_ENCODING, "gzip").body(body),
            None => request.body(parcel.body.clone()),
        };
        let mut response = request.send().await.map_err(|error| lost(&parcel.url, error))?;
        let header = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let (retry_after, location) = (header(RETRY_AFTER), header(LOCATION));
        let mut body = Vec::new();
        // The status is the answer; a body that breaks off says less, but changes nothing.
        while let Ok(Some(piece)) = response.chunk().await {
            body.extend_from_slice(&piece);
            if body.len() > LONGEST_ANSWER {
                body.clear();
                break;
            }
        }
        Ok(Answer { status: response.status().as_u16(), retry_after, location, body })
    }
}

/// Why there is no answer, and what to do about it.
fn lost(url: &str, error: reqwest::Error) -> Lost {
    let is_for_good = error.is_builder();
    let mut text = format!("{url} cannot be reached: {}", capture::chain(&error.without_url()));
    if text.ends_with("UnknownIssuer") {
        text.push_str(
            ": this system does not trust who signed its certificate; add that authority to those it trusts",
        );
    }
    if is_for_good { Lost::ForGood(text) } else { Lost::ForNow(text) }
}

/// Compressed at the lowest level: the next ones cost several times as much for a tenth less bytes.
fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}
