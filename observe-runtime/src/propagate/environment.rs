//! The trace that a parent process names in the environment.

use std::{
    env,
    sync::{Arc, OnceLock},
};

use super::read;
use crate::{
    context::{Ambient, Context, Stamp},
    fork::PerProcess,
};

/// Where roots begin that nothing else gives a place to.
#[derive(Debug)]
pub(crate) struct Inherited {
    /// In the parent's trace, under its span; [`Context::NONE`] if the environment named none.
    pub(crate) context: Context,
    /// What its baggage says.
    pub(crate) stamp: Option<Arc<Stamp>>,
}

static INHERITED: PerProcess<OnceLock<Option<Inherited>>> = PerProcess::new(OnceLock::new());

/// What the environment says; `None` if it says nothing, which is settled when recording begins.
#[inline]
pub(crate) fn inherited() -> Option<&'static Inherited> {
    INHERITED.get().get()?.as_ref()
}

/// Reads `TRACEPARENT`, `TRACESTATE` and `BAGGAGE`, as [`inject`](super::inject) leaves them in a child's environment.
pub(super) fn read_environment() {
    let read = || {
        let place = read(&|name: &str| env::var(name.to_ascii_uppercase()).ok());
        if place.is_empty() {
            return None;
        }
        let nowhere = Ambient { context: Context::NONE, stamp: None };
        let ambient = place.stamp(nowhere);
        Some(Inherited { context: place.resolve(ambient.context, None), stamp: ambient.stamp })
    };
    INHERITED.get().get_or_init(read);
}

/// Leaves it to the process from which this one was forked; for its only thread.
pub(super) fn begin_anew() {
    INHERITED.renew(OnceLock::new());
}
