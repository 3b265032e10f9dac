//! Where finished spans go.

#[cfg(feature = "artanis")]
mod artanis;
#[cfg(all(test, feature = "otlp", feature = "artanis", feature = "tracium", feature = "trajectory"))]
mod clients;
mod console;
mod jsonl;
mod memory;
#[cfg(feature = "otlp")]
mod otlp;
mod page;
#[cfg(feature = "otlp")]
mod platform;
mod progress;
mod queue;
pub(crate) mod quiet;
#[cfg(any(feature = "artanis", feature = "tracium", feature = "trajectory"))]
mod stepwise;
#[cfg(feature = "tracium")]
mod tracium;
#[cfg(feature = "trajectory")]
mod trajectory;

#[cfg(feature = "artanis")]
pub use artanis::{Artanis, ArtanisSettings};
pub use console::Console;
pub use jsonl::Jsonl;
pub use memory::Memory;
#[cfg(feature = "otlp")]
pub use otlp::{Encoding, Otlp, OtlpSettings};
pub use page::TracePage;
#[cfg(feature = "otlp")]
pub use platform::{
    EvalTag, Experiment, FutureAgi, Hidden, InteractiveAi, Langfuse, Mlflow, Phoenix, Platform,
};
pub(crate) use progress::Given;
#[cfg(any(feature = "otlp", feature = "artanis", feature = "tracium", feature = "trajectory"))]
pub(crate) use progress::Hold;
pub use progress::{Delivered, Progress};
pub use queue::{Queue, Sink};
#[cfg(any(feature = "artanis", feature = "tracium", feature = "trajectory"))]
pub use stepwise::Stepwise;
#[cfg(feature = "tracium")]
pub use tracium::{Tracium, TraciumSettings};
#[cfg(feature = "trajectory")]
pub use trajectory::{Trajectory, TrajectorySettings};

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use observe_model::{Metric, Resource, Score, Span, TraceId};
pub use observe_wire::{Dialect, journal::Plain};

/// Says that what waits for the end of a trace is kept in the journal no longer, lest new spans find no room there.
#[allow(dead_code, reason = "not every build has a destination in which anything waits")]
fn say_full(name: &str) {
    crate::report::say_once(&format!(
        "destination {name}: the journal is full while traces go on: what waits for their ends is lost there if the process is killed"
    ));
}

/// Somewhere that spans are sent.
///
/// All methods are called on the collector's thread and must not wait: what takes time belongs on a thread of the
/// destination's own, as [`Queue`] has it. A destination that panics is switched off, and the others go on.
pub trait Destination: Send {
    /// The name that settings and reports use.
    fn name(&self) -> &str;

    /// Called once, before the first span.
    fn begin(&mut self, resource: &Resource) {
        let _ = resource;
    }

    /// Whether spans that have not ended are wanted too, to be updated when they end.
    fn wants_running(&self) -> bool {
        false
    }

    /// Where the journal may lie while this destination has not written or sent its spans, so that a process which is
    /// killed loses none: the destination finds them there the next time it begins, with
    /// [`recover_dead`](crate::recover_dead). `None` if it does not. Of several destinations the first one's place counts,
    /// and the journal waits for all that name the same.
    fn journal(&self) -> Option<PathBuf> {
        None
    }

    /// What it is called there, which tells it from another one of its kind.
    fn journal_name(&self) -> String {
        self.name().to_owned()
    }

    /// Spans that it has taken, from the start of the process: those that it has accepted, and those that it gathers and
    /// has not counted as such yet.
    fn taken(&self) -> u64 {
        self.progress().get().accepted
    }

    /// The page that shows a trace; `None` if there is none. Asked once, before [`Destination::begin`].
    fn trace_page(&self) -> Option<TracePage> {
        None
    }

    /// The same for a process that is forked from this one, which shares no lock, no connection and no thread with it;
    /// asked for when recording begins. `None`, unless it is implemented: the child records nothing here.
    fn for_child(&self) -> Option<Box<dyn Destination>> {
        None
    }

    /// Takes a span. One that was given while running is given again when it ends, and again if more is said of it.
    fn record(&mut self, span: &Span<'_>);

    /// Takes spans of which only their starts and ends say anything, as most are, in the order in which they ended. Who
    /// can do with less than a whole [`Span`] overrides this.
    fn record_plain(&mut self, spans: &[Plain<'_>]) {
        for span in spans {
            self.record(&span.to_span());
        }
    }

    /// Takes a score; one with the id of an earlier one replaces that. Without this method scores are passed over.
    fn record_score(&mut self, score: &Score) {
        let _ = score;
    }

    /// Takes a metric that is to be kept; one with the id of an earlier one replaces that. Without this method such metrics
    /// are passed over, but for those said inside a span: they are among its [`events`](observe_model::Details::events).
    fn record_metric(&mut self, metric: &Metric) {
        let _ = metric;
    }

    /// Whether it has so much to do that more would better wait a moment, where the journal has room for it.
    fn is_crowded(&self) -> bool {
        false
    }

    /// Everything that was found is given; `open` tells, at some cost, the traces of the spans that have not ended. Of a
    /// trace that is not among them twice in a row there is nothing more to come for now.
    fn settle(&mut self, open: &dyn Fn() -> HashSet<TraceId>) {
        let _ = open;
    }

    /// The collector has given all that it has for now: time to hand over what was gathered, at the latest if `now`,
    /// which says that somebody waits for it.
    fn hand_over(&mut self, now: bool) {
        let _ = now;
    }

    /// Where it counts what became of the spans.
    fn progress(&self) -> &Arc<Progress>;
}
