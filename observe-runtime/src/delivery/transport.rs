//! Posts a request over HTTP.

use std::{
    future::Future,
    io::Write as _,
    sync::Arc,
    time::{Duration, SystemTime},
};

use flate2::{Compression, write::GzEncoder};
use reqwest::{
    Client, RequestBuilder,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER},
    redirect,
};

use tokio::sync::OnceCell;

use super::{
    lookup::{Facts, Lookup, fill, is_open},
    outbox::Settings,
    parcel::{Content, Parcel},
    verdict::{self, Answer, Verdict},
};
use crate::{capture, destination::TracePage};

/// Bytes of an answer that are read. The specification's limit for what a client must take is as large.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Time between questions for what only the page of a trace needs.
const ASK_AGAIN: Duration = Duration::from_secs(60);

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
    /// What addresses and headers leave open, and what is known of it.
    lookup: Option<(Lookup, OnceCell<Facts>)>,
    /// Headers with names that are looked up.
    open: Vec<(String, String)>,
    page: Option<(TracePage, String)>,
}

impl Http {
    /// A client for requests as `settings` say.
    ///
    /// # Errors
    /// If a header is none that HTTP allows, or the system's certificates cannot be read.
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let lookup = settings.lookup.clone().map(|lookup| (lookup, OnceCell::new()));
        let is_open = |header: &&(String, String)| lookup.is_some() && is_open(&header.1);
        let (open, fixed): (Vec<_>, Vec<_>) = settings.headers.iter().partition(is_open);
        let mut map = HeaderMap::new();
        for (name, value) in fixed {
            let (name, value) = header(name, value)?;
            map.insert(name, value);
        }
        // What was recorded, and the keys, go where the settings say and nowhere else.
        let builder = Client::builder()
            .default_headers(map)
            .user_agent(concat!("observe/", env!("CARGO_PKG_VERSION")))
            .timeout(settings.timeout)
            .redirect(redirect::Policy::none());
        let client =
            builder.build().map_err(|error| format!("no HTTP client: {}", capture::chain(&error)))?;
        let open = open.into_iter().cloned().collect();
        Ok(Self { client, gzip: settings.gzip, lookup, open, page: settings.page.clone() })
    }

    /// Asks for what the page of a trace names, until it is known or will never be.
    pub(super) async fn learn_page(&self) {
        while self.page.is_some()
            && let Err(Lost::ForNow(_)) = self.facts().await
        {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// What is known of the receiver, which is asked unless it has answered before.
    async fn facts(&self) -> Result<&Facts, Lost> {
        static NONE: Facts = Facts::new();
        let Some((lookup, known)) = &self.lookup else { return Ok(&NONE) };
        known.get_or_try_init(|| self.ask(lookup)).await
    }

    async fn ask(&self, lookup: &Lookup) -> Result<Facts, Lost> {
        let mut refused = String::new();
        for ask in &lookup.asks {
            let request = match &ask.body {
                None => self.client.get(&ask.url),
                Some(body) => {
                    self.client.post(&ask.url).header(CONTENT_TYPE, "application/json").body(body.to_string())
                }
            };
            let answer = answer(&ask.url, request).await?;
            refused = match verdict::of(&ask.url, &answer, SystemTime::now()) {
                Verdict::Arrived => {
                    let said = serde_json::from_slice(&answer.body).unwrap_or_default();
                    let read = (lookup.read)(&said, lookup.wanted.as_deref());
                    let facts = read.map_err(|error| Lost::ForGood(format!("{}: {error}", ask.url)))?;
                    if let Some((page, address)) = &self.page {
                        page.set(fill(address, &facts));
                    }
                    return Ok(facts);
                }
                Verdict::Later(error, _) => return Err(Lost::ForNow(error)),
                Verdict::Divide(error) | Verdict::Refused(error) => error,
            };
        }
        Err(Lost::ForGood(refused))
    }

    /// Address and headers of a request, with everything filled in.
    async fn addressed(&self, url: &str) -> Result<(String, HeaderMap), Lost> {
        let is_open = self.lookup.is_some() && (is_open(url) || !self.open.is_empty());
        let mut headers = HeaderMap::new();
        if !is_open {
            return Ok((url.to_owned(), headers));
        }
        let facts = self.facts().await?;
        for (name, value) in &self.open {
            let (name, value) = header(name, &fill(value, facts)).map_err(Lost::ForGood)?;
            headers.insert(name, value);
        }
        Ok((fill(url, facts), headers))
    }
}

/// A header, which may be a key.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (Ok(header), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
        return Err(format!(
            "the header `{name}` is none that HTTP allows: it needs a name of letters and a value in ASCII"
        ));
    };
    value.set_sensitive(true);
    Ok((header, value))
}

impl<T: Transport> Transport for Arc<T> {
    fn post(&self, parcel: &Parcel) -> impl Future<Output = Result<Answer, Lost>> + Send {
        T::post(self, parcel)
    }
}

impl Transport for Http {
    async fn post(&self, parcel: &Parcel) -> Result<Answer, Lost> {
        let (url, headers) = self.addressed(&parcel.url).await?;
        let request = self.client.post(&url).headers(headers).header(CONTENT_TYPE, parcel.content.mime());
        // Only OTLP's receivers are known to unpack what they are sent.
        let is_otlp = matches!(parcel.content, Content::Protobuf | Content::OtlpJson);
        let compressed = if self.gzip && is_otlp { gzip(&parcel.body) } else { None };
        let request = match compressed {
            Some(body) => request.header(CONTENT_ENCODING, "gzip").body(body),
            None => request.body(parcel.body.clone()),
        };
        answer(&url, request).await
    }
}

/// What the receiver answers.
async fn answer(url: &str, request: RequestBuilder) -> Result<Answer, Lost> {
    let mut response = request.send().await.map_err(|error| lost(url, error))?;
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
