//! What happens while the host runs: context, capture, journal, collector, destinations.
//!
//! Applications use this through `observe-ai`, which adds the macro and the local store.
//!
//! The way of a span: `call` places it by the `context`, captures its arguments (`capture`) into the thread's
//! `journal`, and writes its end there; the `collector` joins the entries on its own thread and gives whole spans
//! to the [`destination`]s.

mod call;
mod capture;
mod carry;
mod clock;
mod collector;
mod context;
#[cfg(feature = "delivery")]
#[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "others need less of it"))]
mod delivery;
pub mod destination;
mod flush;
mod fork;
mod ids;
mod journal;
mod lifecycle;
mod mask;
mod panic_text;
mod price;
mod process;
pub mod propagate;
mod record;
mod report;
mod scope;
mod settings;
mod site;
mod span;
mod switch;

pub use carry::{CurrentContext, InSpan, ObserveExt, carry, current_context, thread};
#[cfg(feature = "tokio")]
pub use carry::{JoinSet, spawn, spawn_blocking, spawn_local};
pub use flush::{Report, flush, flush_async};
pub use lifecycle::{Guard, start, trace_url, trace_url_for, trace_urls_for};
pub use mask::{MaskHook, recover_dead};
pub use observe_model::{
    Cost, Details, Event, Failure, Json, Level, Link, Metric, Number, Price, Prompt, Record, Resource, Score,
    ScoreValue, Span, SpanId, SpanType, State, Status, Target, Timestamp, TraceAttributes, TraceId, Usage,
};
pub use observe_wire::journal::{Recovered, any_below as any_journal_below};
pub use record::{NewMetric, NewScore, metric, score};
pub use scope::{
    AgentScope, Scope, ScopeGuard, Scoped, SpanName, SpanScope, agent, attributes, session, span,
    trace_context,
};
pub use settings::{Keep, Settings, VARIABLES, Variable};
pub use span::{SpanHandle, TraceHandle, current_span, current_span_id, current_trace, current_trace_id};

/// What the macro's expansion names. Not for anyone else: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        call::{
            AsBoxed, AsFuture, AsIterator, AsStream, InOption, InResult, Later, MaybeId, Now, Place, Same,
            insist, is_recording, never, once, polled, sync,
        },
        capture::{Family, Redacted, argument_tied, probe, problem, returned},
        report::{say, say_once},
        site::Site,
        switch::{is_on, may_be_on},
    };
    pub use observe_model::{Level, SpanType};
}
