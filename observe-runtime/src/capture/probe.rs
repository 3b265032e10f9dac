//! The choice between `Serialize`, `Debug` and the type's name.

use std::{any::type_name, fmt};

use serde::Serialize;

use super::{put, put_text};
use crate::journal::Draft;

/// A value to be captured. The macro calls `(&&&&Probe(&value)).observe_put(slot)`.
#[derive(Debug)]
pub struct Probe<'a, T: ?Sized>(pub &'a T);

/// Where a captured value goes.
pub struct Slot<'a> {
    pub(crate) draft: &'a mut Draft,
    /// Whether something was written; `()` writes nothing.
    pub(crate) filled: bool,
}

impl fmt::Debug for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

/// `()` is no value.
pub trait ViaUnit {
    /// Writes nothing.
    fn observe_put(&self, slot: &mut Slot<'_>);
}

impl ViaUnit for &&&Probe<'_, ()> {
    #[inline]
    fn observe_put(&self, slot: &mut Slot<'_>) {
        slot.filled = false;
    }
}

/// A `Serialize` value is JSON.
pub trait ViaSerialize {
    /// Writes the value as JSON.
    fn observe_put(&self, slot: &mut Slot<'_>);
}

impl<T: Serialize + ?Sized> ViaSerialize for &&Probe<'_, T> {
    #[inline]
    fn observe_put(&self, slot: &mut Slot<'_>) {
        put(slot.draft, self.0);
        slot.filled = true;
    }
}

/// A `Debug` value is its text.
pub trait ViaDebug {
    /// Writes what the value prints with `{:?}`, as a JSON string.
    fn observe_put(&self, slot: &mut Slot<'_>);
}

impl<T: fmt::Debug + ?Sized> ViaDebug for &Probe<'_, T> {
    fn observe_put(&self, slot: &mut Slot<'_>) {
        put_text(slot.draft, &format_args!("{:?}", self.0));
        slot.filled = true;
    }
}

/// Any other value is its type's name.
pub trait ViaName {
    /// Writes `<type name>` as a JSON string.
    fn observe_put(&self, slot: &mut Slot<'_>);
}

impl<T: ?Sized> ViaName for Probe<'_, T> {
    fn observe_put(&self, slot: &mut Slot<'_>) {
        put_text(slot.draft, &format_args!("<{}>", type_name::<T>()));
        slot.filled = true;
    }
}
