//! A span that has not begun: what is known of it already.

use std::{borrow::Cow, panic::Location};

use observe_model::{SpanId, SpanType};
use observe_wire::journal::entry::Field;
use serde::Serialize;

use super::places;
use crate::{
    call::{Start, change},
    capture,
    context::Context,
    site::Site,
};

/// Where a piece lies among what was captured.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// `None` for the input.
    field: Option<Field>,
    end: usize,
    raw: bool,
}

/// A span to begin. What is said of it is captured at once, into one buffer.
#[derive(Debug, Clone)]
pub(crate) struct NewSpan {
    name: Cow<'static, str>,
    span_type: SpanType,
    location: &'static Location<'static>,
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

impl NewSpan {
    pub(super) fn new(
        name: Cow<'static, str>,
        span_type: SpanType,
        location: &'static Location<'static>,
    ) -> Self {
        Self { name, span_type, location, bytes: Vec::new(), pieces: Vec::new() }
    }

    pub(super) fn set_type(&mut self, span_type: SpanType) {
        self.span_type = span_type;
    }

    /// The last input wins.
    pub(super) fn set_input<T: Serialize + ?Sized>(&mut self, value: &T) {
        self.put(None, value);
    }

    pub(super) fn set<T: Serialize + ?Sized>(&mut self, field: Field, value: &T) {
        self.put(Some(field), value);
    }

    fn put<T: Serialize + ?Sized>(&mut self, field: Option<Field>, value: &T) {
        let raw = capture::append(&mut self.bytes, value);
        self.pieces.push(Piece { field, end: self.bytes.len(), raw });
    }

    /// What it is called, as far as that is known before it begins.
    pub(super) fn name(&self) -> &str {
        if self.name.is_empty() { self.span_type.as_str() } else { &self.name }
    }

    fn site(&self) -> &'static Site {
        match &self.name {
            Cow::Borrowed(name) => places::site(self.location, self.span_type, name),
            Cow::Owned(_) => places::site(self.location, self.span_type, ""),
        }
    }

    /// Begins it at `at`, and puts in force what belongs to its inside, be it recorded or not.
    pub(super) fn begin(&self, at: Context) -> Option<SpanId> {
        let pieces = || {
            let starts = std::iter::once(0).chain(self.pieces.iter().map(|piece| piece.end));
            let bytes =
                |(start, piece): (usize, &Piece)| self.bytes.get(start..piece.end).unwrap_or_default();
            starts.zip(&self.pieces).map(move |pair| (pair.1, bytes(pair)))
        };
        let mut start = Start::new();
        let site = self.site();
        start.begin_at(site, at, self.name());
        let input = pieces().filter(|(piece, _)| piece.field.is_none()).last();
        let span = start.commit_with(input.map(|(piece, bytes)| (bytes, piece.raw)))?;
        if self.name != site.name {
            change(span, Field::Name, |draft| capture::put(draft, &*self.name));
        }
        for (piece, bytes) in pieces() {
            if let Some(field) = piece.field {
                change(span, field, |draft| draft.put_captured(bytes, piece.raw));
            }
        }
        Some(span)
    }
}
