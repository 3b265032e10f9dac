//! A value without its type: what takes it is compiled once, here, and not for every type and every annotated function.

use std::{any::type_name, fmt};

use serde::Serialize;

use super::json::{At, Done, waits_to_print};
use crate::journal::Desk;

/// A value that can be captured, in the way that was found for its type.
pub trait Capture {
    /// Writes the value.
    fn capture(&self, pen: Pen<'_>) -> Written;
}

/// What a value is written with, once.
pub struct Pen<'p>(pub(super) At<'p, Desk>);

/// What became of it.
pub struct Written(pub(super) Done);

impl Pen<'_> {
    /// Writes `value`.
    #[inline]
    pub(super) fn write<T: Serialize + ?Sized>(self, value: &T) -> Written {
        Written(self.0.value(value))
    }

    /// Writes what `value` prints for debugging, unless that would be to wait for a lock.
    #[inline]
    pub(super) fn debug<T: fmt::Debug + ?Sized>(self, value: &T) -> Written {
        if waits_to_print::<T>() {
            return self.name::<T>();
        }
        Written(self.0.debug(&value))
    }

    /// Writes the name of a type.
    pub(super) fn name<T: ?Sized>(self) -> Written {
        self.write(&format_args!("<{}>", type_name::<T>()))
    }
}
