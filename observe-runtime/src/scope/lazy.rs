//! A span that begins with the first one inside.

use std::sync::Arc;

use observe_model::SpanId;
use once_cell::sync::OnceCell;

use super::{new_span::NewSpan, running::begin_span};
use crate::{
    context::{Ambient, Context, Stamp},
    journal,
};

/// What became of it.
#[derive(Debug)]
enum Root {
    /// Its scope ended before any span began inside.
    Closed,
    /// It began; in here begins what comes next.
    Begun { inside: Context, span: Option<SpanId> },
}

/// A span that waits for the first one inside. Every thread that carries its scope shares it.
#[derive(Debug)]
pub(crate) struct Lazy {
    span: NewSpan,
    /// Where it begins, with the attributes of its own.
    at: Context,
    stamp: Option<Arc<Stamp>>,
    root: OnceCell<Root>,
}

impl Lazy {
    pub(super) fn new(span: NewSpan, at: &Ambient) -> Self {
        Self { span, at: at.context, stamp: at.stamp.clone(), root: OnceCell::new() }
    }

    /// Begins it unless it has begun; gives its inside. `None` if its scope has ended, or while a value is captured,
    /// when nothing begins.
    pub(crate) fn begin(&self) -> Option<Context> {
        let root = self.root.get_or_try_init(|| {
            if journal::is_capturing() {
                return Err(());
            }
            let mut ambient = Ambient { context: self.at, stamp: self.stamp.clone() };
            let span = begin_span(&self.span, &mut ambient);
            Ok(Root::Begun { inside: ambient.context, span })
        });
        root.ok().and_then(Root::inside)
    }

    /// Its inside, if it has begun.
    pub(crate) fn inside(&self) -> Option<Context> {
        self.root.get().and_then(Root::inside)
    }

    /// Ends its scope; gives the span that must end now.
    pub(super) fn close(&self) -> Option<SpanId> {
        match self.root.get_or_init(|| Root::Closed) {
            Root::Closed => None,
            Root::Begun { span, .. } => *span,
        }
    }
}

impl Root {
    fn inside(&self) -> Option<Context> {
        match self {
            Self::Closed => None,
            Self::Begun { inside, .. } => Some(*inside),
        }
    }
}
