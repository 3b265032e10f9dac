//! A scope from its plan to its end.

use std::sync::Arc;

use observe_model::SpanId;
use observe_wire::journal::entry::Ending;

use super::{Lazy, new_span::NewSpan};
use crate::{
    call::{Place, end, end_with_text},
    context::{self, Ambient},
    panic_text, switch,
};

/// What a scope will do when something runs in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) place: Place,
    /// The span that it opens.
    span: Option<NewSpan>,
    /// The span begins with the first one inside.
    pub(super) lazy: bool,
}

impl Plan {
    pub(super) fn of_span(span: NewSpan) -> Self {
        Self { span: Some(span), ..Self::default() }
    }

    pub(crate) fn of_place(place: Place) -> Self {
        Self { place, ..Self::default() }
    }

    /// Says something of the span, if anything is recorded.
    pub(super) fn say(&mut self, say: impl FnOnce(&mut NewSpan)) {
        if let Some(span) = self.span.as_mut().filter(|_| switch::is_on()) {
            say(span);
        }
    }

    /// Whether it would change nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.span.is_none() && self.place.is_empty()
    }

    /// Runs `body` inside.
    pub(super) fn run<R>(self, body: impl FnOnce() -> R) -> R {
        if self.is_empty() {
            return body();
        }
        let mut running = self.begin();
        let returned = running.run(body);
        running.finish();
        returned
    }

    /// Begins, with what is in force now underneath; what is in force stays so outside of [`Running::run`].
    pub(super) fn begin(self) -> Running {
        let mut ambient = Ambient::current();
        if !switch::is_on() {
            return Running { ambient, open: Open::Nothing, inside: false };
        }
        let name = self.span.as_ref().map(NewSpan::name);
        ambient = self.place.stamp(ambient);
        ambient.context = self.place.resolve(ambient.context, name);
        if let Some(name) = name {
            ambient.context = ambient.context.decided(name);
        }
        let open = match self.span {
            None => Open::Nothing,
            Some(_) if ambient.context.is_left_out() => Open::Nothing,
            Some(span) if self.lazy => {
                let lazy = Arc::new(Lazy::new(span, &ambient));
                ambient = ambient.lazy(Arc::clone(&lazy));
                Open::Lazy(lazy)
            }
            Some(span) => begin_span(&span, &mut ambient).map_or(Open::Nothing, Open::Span),
        };
        Running { ambient, open, inside: false }
    }
}

/// Begins `span` in `ambient`, which is its inside then.
pub(super) fn begin_span(span: &NewSpan, ambient: &mut Ambient) -> Option<SpanId> {
    let (begun, inside) = {
        let at = ambient.context;
        let _entered = ambient.enter();
        (span.begin(at), context::current())
    };
    ambient.context = inside;
    begun
}

/// The span that a scope opened.
#[derive(Debug)]
pub(super) enum Open {
    /// None, or it is not recorded.
    Nothing,
    Span(SpanId),
    Lazy(Arc<Lazy>),
}

impl Open {
    /// Ends the span.
    pub(super) fn end(&mut self, ending: Ending) {
        let span = match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => None,
            Self::Span(span) => Some(span),
            Self::Lazy(lazy) => lazy.close(),
        };
        match span {
            None => {}
            Some(span) if ending == Ending::Panicked => end_with_text(span, ending, &panic_text::last()),
            Some(span) => end(span, ending, |_| false),
        }
    }
}

/// A scope in which something runs. Dropped before [`Running::finish`], what ran was cut short.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) ambient: Ambient,
    pub(super) open: Open,
    /// Set while something runs inside; stays set if that unwinds.
    inside: bool,
}

impl Running {
    pub(super) fn run<R>(&mut self, body: impl FnOnce() -> R) -> R {
        self.inside = true;
        let returned = {
            let _entered = self.ambient.enter();
            body()
        };
        self.inside = false;
        returned
    }

    pub(super) fn finish(&mut self) {
        self.open.end(Ending::Returned);
    }

    /// Takes it apart, for who ends the span themselves.
    pub(super) fn into_parts(mut self) -> (Ambient, Open) {
        let nothing = Ambient { context: context::Context::NONE, stamp: None };
        (std::mem::replace(&mut self.ambient, nothing), std::mem::replace(&mut self.open, Open::Nothing))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.open.end(if self.inside { Ending::Panicked } else { Ending::Cancelled });
    }
}
