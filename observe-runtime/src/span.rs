//! The current span, for code that runs inside it.

use observe_model::{Cost, Level, SpanId, TraceId, Usage};
use observe_wire::journal::entry::Field;
use serde::Serialize;

use crate::{call::change, capture, context};

/// The trace that the calling code runs in; `None` outside a trace.
pub fn current_trace_id() -> Option<TraceId> {
    context::current().trace()
}

/// The span that the calling code runs in; `None` outside a trace.
pub fn current_span_id() -> Option<SpanId> {
    let context = context::current();
    context.span().filter(|_| context.is_in_recorded_span())
}

/// The span that the calling code runs in. Outside a recorded span the handle does nothing.
///
/// ```
/// use observe_runtime::{Usage, current_span};
/// current_span().model("gpt-4o-mini").usage(Usage::new(12, 34)).metadata("attempt", 2);
/// ```
pub fn current_span() -> CurrentSpan {
    CurrentSpan { span: current_span_id() }
}

/// A handle on a span, to say more of it. What is said last wins, also over what the macro captured.
#[derive(Debug, Clone, Copy)]
pub struct CurrentSpan {
    span: Option<SpanId>,
}

impl CurrentSpan {
    /// Its id; `None` outside a recorded span.
    pub fn id(&self) -> Option<SpanId> {
        self.span
    }

    /// What went in, in place of what was captured.
    pub fn input(self, input: impl Serialize) -> Self {
        self.value(Field::Input, &input)
    }

    /// What came out, in place of what will be returned.
    pub fn output(self, output: impl Serialize) -> Self {
        self.value(Field::Output, &output)
    }

    /// What it is called in lists and trees.
    pub fn name(self, name: impl AsRef<str>) -> Self {
        self.value(Field::Name, name.as_ref())
    }

    /// The model that it called.
    pub fn model(self, model: impl AsRef<str>) -> Self {
        self.value(Field::Model, model.as_ref())
    }

    /// The version of the component.
    pub fn version(self, version: impl AsRef<str>) -> Self {
        self.value(Field::Version, version.as_ref())
    }

    /// The tokens that the call used.
    pub fn usage(self, usage: Usage) -> Self {
        self.value(Field::Usage, &usage)
    }

    /// What the call cost in US dollars.
    pub fn cost(self, cost: impl Into<Cost>) -> Self {
        self.value(Field::Cost, &cost.into())
    }

    /// How much it deserves attention.
    pub fn level(self, level: Level) -> Self {
        self.value(Field::Level, &level)
    }

    /// Adds metadata under `name`.
    pub fn metadata(self, name: impl AsRef<str>, value: impl Serialize) -> Self {
        struct Pair<'a, T>(&'a str, T);
        impl<T: Serialize> Serialize for Pair<'_, T> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map([(self.0, &self.1)])
            }
        }
        self.value(Field::Metadata, &Pair(name.as_ref(), value))
    }

    /// Marks the span as failed; a later return value does not undo it.
    pub fn mark_failed(self, message: impl AsRef<str>) -> Self {
        self.value(Field::Failed, message.as_ref())
    }

    fn value<T: Serialize + ?Sized>(self, field: Field, value: &T) -> Self {
        if let Some(span) = self.span {
            change(span, field, |draft| capture::put(draft, value));
        }
        self
    }
}
