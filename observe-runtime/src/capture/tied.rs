//! Arguments whose types name a lifetime, such as `View<'a>`: their `Serialize` or `Debug` may hold for `'static` alone,
//! which the compiler finds out only when it has chosen it. So it is asked whether it holds for every lifetime.

use std::{fmt, marker::PhantomData, ops::Deref};

use serde::Serialize;

use super::{
    pen::Capture,
    probe::{BySerialize, probe},
};

/// The types that one is with other lifetimes: `dyn for<'x> Family<'x, Of = View<'x>>`.
pub trait Family<'x> {
    /// The type with this lifetime.
    type Of;
}

/// A value of a type of the family `F`, for the method that every type of the family allows.
pub fn argument_tied<F: ?Sized, T>(value: &T) -> TiedBySerialize<'_, F, T> {
    TiedBySerialize(TiedByDebug(TiedByName(probe(value)), PhantomData), PhantomData)
}

/// A `Serialize` value is JSON.
pub struct TiedBySerialize<'a, F: ?Sized, T>(TiedByDebug<'a, F, T>, PhantomData<F>);

/// A `Debug` value is its text.
pub struct TiedByDebug<'a, F: ?Sized, T>(TiedByName<'a, T>, PhantomData<F>);

/// Any other value is its type's name.
pub struct TiedByName<'a, T>(BySerialize<'a, T>);

impl<'a, F: ?Sized, T> Deref for TiedBySerialize<'a, F, T> {
    type Target = TiedByDebug<'a, F, T>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a, F: ?Sized, T> Deref for TiedByDebug<'a, F, T> {
    type Target = TiedByName<'a, T>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<F: ?Sized, T: Serialize> TiedBySerialize<'_, F, T>
where
    F: for<'x> Family<'x>,
    for<'x> <F as Family<'x>>::Of: Serialize,
{
    /// The next argument.
    pub fn observe_argument(&self) -> &dyn Capture {
        &self.0.0.0
    }
}

impl<F: ?Sized, T: fmt::Debug> TiedByDebug<'_, F, T>
where
    F: for<'x> Family<'x>,
    for<'x> <F as Family<'x>>::Of: fmt::Debug,
{
    /// The next argument.
    pub fn observe_argument(&self) -> &dyn Capture {
        &*self.0.0
    }
}

impl<T> TiedByName<'_, T> {
    /// The next argument.
    pub fn observe_argument(&self) -> &dyn Capture {
        &**self.0
    }
}
