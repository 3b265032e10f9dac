//! Taking a trace from one process to another: in the headers of a request, or in the environment of a child process.
//!
//! The headers are those of [W3C Trace Context](https://www.w3.org/TR/trace-context/) (`traceparent`, `tracestate`) and
//! [W3C Baggage](https://www.w3.org/TR/baggage/) (`baggage`), which every OpenTelemetry service reads and writes.
//!
//! ```
//! use std::collections::HashMap;
//! use observe_runtime::propagate::{extract, inject};
//!
//! // Who calls: the current trace and span.
//! let mut headers = HashMap::new();
//! inject(&mut headers);
//!
//! // Who is called: what begins inside is a part of the caller's trace.
//! extract(&headers).sync_scope(|| { /* handle the request */ });
//! ```
//!
//! A trace that the caller does not record is not recorded here, and one that it records is.
//!
//! # Baggage
//!
//! Of the baggage that arrives, only what is listed becomes session, user, tags or metadata of the spans: unless
//! [`Settings::baggage_keys`](crate::Settings::baggage_keys) says otherwise, `session.id`, `user.id` and the family
//! `langfuse_*` (`langfuse_session_id`, `langfuse_user_id`, `langfuse_tags`, `langfuse_version`, `langfuse_trace_name`,
//! `langfuse_environment`, `langfuse_metadata_<name>`). Baggage is sent only if
//! [`Settings::send_baggage`](crate::Settings::send_baggage) is on, since it goes to everybody who is called: what
//! arrived, and under the listed names the session, user, tags and metadata in force.

mod carrier;
mod environment;
#[cfg(feature = "tower")]
mod layer;
mod rules;

use std::sync::Arc;

use observe_model::TraceId;
use observe_wire::w3c::{BAGGAGE, Baggage, TRACEPARENT, TRACESTATE, TraceParent, TraceState};

pub use carrier::{Headers, HeadersMut};
#[cfg(feature = "tower")]
pub use layer::{Extract, ExtractLayer};

pub(crate) use environment::{Inherited, inherited};
pub(crate) use rules::{begin_anew, set_up};

use crate::{Scope, call::Place, context, ids, switch};

/// What came with a trace from outside and goes along with it.
#[derive(Debug)]
pub(crate) struct Carried {
    /// The trace that `state` belongs to.
    trace: Option<TraceId>,
    state: Option<TraceState>,
    baggage: Baggage,
}

/// The scope of what arrived in `headers`: what begins inside belongs to the sender's trace, under its span.
///
/// Where `headers` names no trace, or more than one, or is damaged, what begins inside is a trace of its own. Nothing is
/// read while nothing is recorded.
///
/// ```
/// use observe_runtime::{current_trace_id, propagate::extract};
/// let headers = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
/// extract(&headers).sync_scope(|| { /* the trace 4bf9.. */ });
/// ```
pub fn extract(headers: &(impl Headers + ?Sized)) -> Scope {
    let place = if switch::is_on() { read(headers) } else { Place::default() };
    Scope::of_place(place)
}

fn read(headers: &(impl Headers + ?Sized)) -> Place {
    let parents = all(headers, TRACEPARENT);
    let parent = match &parents[..] {
        [one] => one.parse::<TraceParent>().ok(),
        _ => None,
    };
    let states = all(headers, TRACESTATE);
    let state = parent.and_then(|_| TraceState::parse(states.iter().map(String::as_str)));
    let baggage = Baggage::parse(all(headers, BAGGAGE).iter().map(String::as_str));
    let mut place = Place::default();
    rules::current().read(&baggage, &mut place.attributes);
    if let Some(parent) = parent {
        place = place.remote(parent);
    }
    if state.is_some() || !baggage.is_empty() {
        let trace = parent.map(|parent| parent.trace_id);
        place.carried = Some(Arc::new(Carried { trace, state, baggage }));
    }
    place
}

fn all(headers: &(impl Headers + ?Sized), name: &str) -> Vec<String> {
    let mut values = Vec::new();
    headers.read(name, &mut |value| values.push(value.to_owned()));
    values
}

/// Writes the current trace and span to `headers`, for who is called to [`extract`]. Outside a trace nothing is written
/// of one.
///
/// ```
/// # fn send(_: std::process::Command) {}
/// use observe_runtime::propagate::inject;
/// // A child process: its first spans belong below the current one.
/// let mut child = std::process::Command::new("worker");
/// inject(&mut child);
/// // Anything else that takes names and values.
/// inject(&mut |name: &str, value: &str| println!("{name}: {value}"));
/// ```
pub fn inject(headers: &mut (impl HeadersMut + ?Sized)) {
    if !switch::is_on() {
        return;
    }
    let here = context::here();
    let stamp = context::current_stamp();
    let carried = stamp.as_ref().and_then(|stamp| stamp.carried.as_deref());
    if let Some(trace_id) = here.trace() {
        // Of a trace that is not recorded there may be no span to name.
        let parent_id = here.span().unwrap_or_else(ids::span_id);
        let parent = TraceParent { trace_id, parent_id, sampled: !here.is_left_out() };
        headers.write(TRACEPARENT, &parent.to_string());
        if let Some(Carried { trace: Some(its), state: Some(state), .. }) = carried
            && *its == trace_id
        {
            headers.write(TRACESTATE, &state.to_string());
        }
    }
    let attributes = stamp.as_ref().map(|stamp| &stamp.attributes);
    let baggage = rules::current().write(carried.map(|carried| &carried.baggage), attributes);
    if !baggage.is_empty() {
        headers.write(BAGGAGE, &baggage.to_string());
    }
}

/// What [`inject`] writes, as the headers of a request: for reqwest, hyper, tonic and whoever else takes an
/// `http::HeaderMap`. Outside a trace it is empty.
///
/// ```
/// use observe_runtime::propagate;
/// let headers: http::HeaderMap = propagate::headers(); // client.post(url).headers(headers)
/// ```
#[cfg(feature = "http")]
pub fn headers() -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    inject(&mut headers);
    headers
}
