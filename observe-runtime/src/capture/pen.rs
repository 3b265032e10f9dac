//! A value without its type: what takes it is compiled once, here, and not for every type and every annotated function.

use std::fmt;

use serde::Serialize;

use super::json::{Done, Writer};
use crate::journal::Draft;

/// A value that can be captured, in the way that was found for its type.
pub trait Capture {
    /// Writes the value.
    fn capture(&self, pen: Pen<'_, '_>) -> Written;
}

/// What a value is written with, once.
pub struct Pen<'p, 'd>(pub(super) &'p mut Writer<'d, Draft>);

/// What became of it.
pub struct Written(pub(super) Done);

impl Pen<'_, '_> {
    /// Writes `value`.
    #[inline]
    pub(super) fn write<T: Serialize + ?Sized>(self, value: &T) -> Written {
        Written(self.0.value(value))
    }

    /// Writes what `value` prints for debugging.
    #[inline]
    pub(super) fn debug(self, value: &dyn fmt::Debug) -> Written {
        Written(self.0.debug(value))
    }
}
