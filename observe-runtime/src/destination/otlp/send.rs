//! The thread that sends: requests side by side, repeated where the specification says so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use observe_wire::ExportResponse;
use reqwest::{
    Client, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use tokio::{
    sync::{Semaphore, mpsc::UnboundedReceiver},
    time::sleep,
};

use super::{Body, OtlpSettings};
use crate::{destination::Progress, report::Once};

/// Requests under way at once, so that a slow receiver's answering time is no ceiling.
const IN_FLIGHT: usize = 4;

/// Times that a request is repeated. The waits between grow to about a minute in all.
const REPEATS: u32 = 6;

/// The first wait before a repetition; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// A receiver that asks for a longer wait than this is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Why a body did not arrive.
enum Failed {
    /// It may arrive later; the receiver may have said when.
    ForNow(String, Option<Duration>),
    /// It never will.
    ForGood(String),
}

/// Sends every body until the destination is gone.
pub(super) fn run(
    settings: &OtlpSettings,
    mut bodies: UnboundedReceiver<Body>,
    waiting: &Arc<AtomicUsize>,
    progress: &Arc<Progress>,
) {
    let said = Arc::new(Once::new());
    let tools = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string());
    let tools = tools.and_then(|runtime| Ok((runtime, client(settings)?)));
    let (runtime, client) = match tools {
        Ok(tools) => tools,
        Err(error) => {
            said.say(&format!("destination otlp: {error}"));
            while let Some(body) = bodies.blocking_recv() {
                fail(&body, &error, progress);
            }
            return;
        }
    };
    let url: Arc<str> = settings.url.as_str().into();
    let places = Arc::new(Semaphore::new(IN_FLIGHT));
    runtime.block_on(async {
        while let Some(body) = bodies.recv().await {
            // Never closed, so a place always comes.
            let place = Arc::clone(&places).acquire_owned().await;
            let (client, url, said) = (client.clone(), Arc::clone(&url), Arc::clone(&said));
            let (waiting, progress) = (Arc::clone(waiting), Arc::clone(progress));
            tokio::spawn(async move {
                let size = body.bytes.len();
                deliver(&client, &url, body, &progress, &said).await;
                waiting.fetch_sub(size, Ordering::Relaxed);
                drop(place);
            });
        }
        // What is under way is finished.
        let _ = places.acquire_many(IN_FLIGHT as u32).await;
    });
}

fn client(settings: &OtlpSettings) -> Result<Client, String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("observe-ai/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in &settings.headers {
        let pair = (HeaderName::try_from(name), HeaderValue::try_from(value));
        let (Ok(name), Ok(mut value)) = pair else {
            return Err(format!(
                "the header `{name}` of OTEL_EXPORTER_OTLP_HEADERS is none that HTTP allows"
            ));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let builder = Client::builder().default_headers(headers).timeout(settings.timeout);
    builder.build().map_err(|error| format!("no HTTP client: {}", with_sources(&error)))
}

/// Sends a body, again where that may help, and counts what became of it.
async fn deliver(client: &Client, url: &str, body: Body, progress: &Progress, said: &Once) {
    let mut wait = FIRST_WAIT;
    for attempt in 0.. {
        let (error, after) = match send(client, url, body.bytes.clone()).await {
            Ok(response) => return succeed(&body, &response, progress, said),
            Err(Failed::ForGood(error)) => (error, None),
            Err(Failed::ForNow(error, after)) if attempt < REPEATS => {
                (error, Some(after.unwrap_or_else(|| jittered(wait))))
            }
            Err(Failed::ForNow(error, _)) => (error, None),
        };
        said.say(&format!("destination otlp: {error}"));
        let Some(after) = after.filter(|after| *after <= LONGEST_WAIT) else {
            return fail(&body, &error, progress);
        };
        sleep(after).await;
        wait *= 2;
    }
}

async fn send(client: &Client, url: &str, bytes: Bytes) -> Result<ExportResponse, Failed> {
    let sent = client.post(url).body(bytes).send().await;
    let response = sent.map_err(|error| {
        let text = format!("{url} cannot be reached: {}", with_sources(&error));
        if error.is_builder() { Failed::ForGood(text) } else { Failed::ForNow(text, None) }
    })?;
    let status = response.status();
    if status.is_success() {
        // Whatever the answer says, the receiver has the spans.
        return Ok(read(response).await);
    }
    let text = format!("{url} answered {status}");
    // The specification's list; everything else would be refused again.
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Err(Failed::ForNow(text, retry_after(&response))),
        _ => Err(Failed::ForGood(text)),
    }
}

/// The answer, as far as it can be read within its limit.
async fn read(mut response: Response) -> ExportResponse {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > ExportResponse::MAX_BYTES {
            break;
        }
    }
    ExportResponse::decode(&body).unwrap_or_default()
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn succeed(body: &Body, response: &ExportResponse, progress: &Progress, said: &Once) {
    let rejected = response.rejected.min(body.spans);
    if rejected > 0 {
        said.say(&format!("destination otlp: the receiver rejected {rejected} spans: {}", response.message));
    }
    progress.settle(body.part, |counts| {
        counts.sent += body.spans - rejected;
        counts.failed += rejected;
        if rejected > 0 {
            counts.error = Some(response.message.clone());
        }
    });
}

fn fail(body: &Body, error: &str, progress: &Progress) {
    progress.settle(body.part, |counts| {
        counts.failed += body.spans;
        counts.error = Some(error.to_owned());
    });
}

/// Between half of `wait` and all of it, so that processes that failed together do not come back together.
fn jittered(wait: Duration) -> Duration {
    let share = crate::ids::span_id().to_int() as f64 / u64::MAX as f64;
    wait.mul_f64(0.5 + share / 2.0)
}

fn with_sources(error: &dyn std::error::Error) -> String {
    crate::capture::chain(error)
}
