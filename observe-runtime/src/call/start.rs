//! The beginning of a span, while its arguments are captured.

use std::fmt;

use observe_model::SpanId;
use observe_wire::journal::entry::{self, Kind};

use crate::{
    capture::{self, Slot},
    clock,
    context::{self, Context},
    ids,
    journal::{Draft, Lost, dropped},
    site::{Key, Site},
};

/// A span that is about to begin: takes the arguments.
pub struct Start {
    /// `None` if nothing is recorded.
    draft: Option<Draft>,
    parent: u64,
    site: u32,
    /// Whether an argument was written.
    fields: bool,
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("parent", &self.parent).finish_non_exhaustive()
    }
}

impl Start {
    /// A start that records nothing.
    #[inline(always)]
    #[expect(clippy::new_without_default, reason = "only the macro makes starts")]
    pub fn new() -> Self {
        Self { draft: None, parent: 0, site: 0, fields: false }
    }

    /// Begins a span at `at`, and puts in force what belongs to the inside of the call, be it recorded or not.
    #[inline(always)]
    pub(crate) fn begin(&mut self, site: &'static Site, at: Context, name: &str) {
        let mut at = at;
        if !at.has_trace() {
            at = at.begin_trace(name);
        }
        if at.is_unsampled() {
            at = at.decided(name);
        }
        let mut inner = at;
        if !inner.is_unsampled() {
            self.site = site.number();
            match Draft::begin::<{ entry::Start::LEN }>(Kind::Start, inner.stamp) {
                Ok(draft) => {
                    self.parent = at.span_number();
                    inner = inner.in_span(Some(ids::span_id()));
                    self.draft = Some(draft);
                }
                // What it calls belongs to the nearest span that is recorded.
                Err(lost) => {
                    inner = inner.in_dropped_span();
                    if lost == Lost::Full {
                        dropped::count(at.span_number());
                    }
                }
            }
        }
        context::set(inner);
    }

    /// Whether arguments are wanted.
    #[inline(always)]
    pub fn is_recording(&self) -> bool {
        self.draft.is_some()
    }

    /// A place for an argument's value; `None` if it is not wanted.
    #[inline]
    pub fn field(&mut self, key: &'static Key) -> Option<Slot<'_>> {
        let draft = self.draft.as_mut()?;
        self.fields = true;
        key.put(draft);
        if key.is_secret() {
            draft.put(capture::REDACTED);
            return None;
        }
        Some(Slot { draft, filled: false })
    }

    /// Writes the start of the span that is in force, and gives its id.
    #[inline(always)]
    pub(super) fn commit(&mut self) -> Option<SpanId> {
        let mut draft = self.draft.take()?;
        if self.fields {
            // Every field begins with a comma; the first one with the brace.
            if let Some(first) = draft.first() {
                *first = b'{';
            }
            draft.put_byte(b'}');
        }
        self.write(draft)
    }

    /// [`Start::commit`] with an input that was captured before, and whether it holds raw segments.
    pub(crate) fn commit_with(&mut self, input: Option<(&[u8], bool)>) -> Option<SpanId> {
        let mut draft = self.draft.take()?;
        if let Some((bytes, raw)) = input {
            self.fields = true;
            draft.put_captured(bytes, raw);
        }
        self.write(draft)
    }

    #[inline(always)]
    fn write(&self, draft: Draft) -> Option<SpanId> {
        let inner = context::current();
        let start = entry::Start {
            span: inner.span_number(),
            ticks: clock::ticks(),
            parent: self.parent,
            trace: inner.trace_number(),
            stamp: inner.stamp,
            site: self.site,
        };
        draft.commit(0, self.fields, |bytes| start.write(bytes));
        inner.span()
    }
}
