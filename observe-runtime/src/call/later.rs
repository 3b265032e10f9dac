//! Telling a returned future, stream or iterator from every other value, so that its span stays open.
//!
//! The macro wraps what was returned in [`Later`] and calls `observe_finish`. The compiler takes the inherent method where
//! there is something to come, and that of [`Now`] for every other type; nothing is asked of the user's types.

use std::{convert::Infallible, marker::PhantomData};

use super::{AsyncCall, Call, Going, SyncCall};
use crate::capture;

/// Whether an output of `call` is wanted.
#[inline]
pub fn is_recording(call: &impl Call) -> bool {
    call.span().is_some()
}

/// A call whose body has run.
pub trait Detach {
    /// The call as it goes on outside its body; this one is over.
    fn detach(&mut self) -> Going;
}

impl Detach for SyncCall {
    #[inline]
    fn detach(&mut self) -> Going {
        Going::of(&mut self.live)
    }
}

impl Detach for AsyncCall {
    #[inline]
    fn detach(&mut self) -> Going {
        Going::of(&mut self.live)
    }
}

impl Detach for Going {
    #[inline]
    fn detach(&mut self) -> Going {
        std::mem::replace(self, Self::none())
    }
}

/// By its trait: the signature says `impl Future`.
#[derive(Debug)]
pub struct AsFuture;

/// By its trait: the signature says `impl Stream`.
#[derive(Debug)]
pub struct AsStream;

/// By its trait: the signature says `impl Iterator`.
#[derive(Debug)]
pub struct AsIterator;

/// By its type: one of the boxed trait objects, under whatever alias.
#[derive(Debug)]
pub struct AsBoxed;

/// The value of an `Ok`.
#[derive(Debug)]
pub struct InResult<K>(PhantomData<K>);

/// The value of a `Some`.
#[derive(Debug)]
pub struct InOption<K>(PhantomData<K>);

/// A value that something is still to come out of.
pub trait Defer<K>: Sized {
    /// What records it: the call of a future, the items of a stream.
    type Call;
    /// What comes out: the future's value, an item.
    type Value;
}

/// The same with what is to be done when something has come out.
pub trait DeferWith<K, O>: Defer<K> {
    /// The observed value.
    type Deferred;
    /// Lets `call` go on for as long as something comes.
    fn defer(self, call: Going, capture: bool, outcome: O) -> Self::Deferred;
}

/// A value of which the attribute's `stream` says that something comes out: the compiler complains where it is none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be observed as a stream or an iterator",
    label = "`stream` stands on a function that returns one",
    note = "return `impl Stream`, `impl Iterator` or one of them in its box, as `BoxStream` or `Box<dyn Iterator>`",
    note = "without `stream` the value is recorded as it is"
)]
pub trait Insisted<K> {}

#[diagnostic::do_not_recommend]
impl<K, T: Defer<K>> Insisted<K> for T {}

/// Gives `value` back, out of which something comes.
#[inline]
pub fn insist<K, T: Insisted<K>>(value: T) -> T {
    value
}

/// What a function returned.
#[derive(Debug)]
pub struct Later<K, T> {
    value: T,
    /// Whether what comes out is wanted.
    capture: bool,
    kind: PhantomData<K>,
}

impl<K, T> Later<K, T> {
    /// `value`, to be looked at as the kind `K`.
    #[inline]
    pub fn new(value: T, capture: bool) -> Self {
        Self { value, capture, kind: PhantomData }
    }
}

impl<K, T: Defer<K>> Later<K, T> {
    /// Tells the compiler what comes out, as the signature does.
    #[inline]
    pub fn observe_expecting<V>(self) -> Self
    where
        T: Defer<K, Value = V>,
    {
        self
    }

    /// Lets the call go on.
    #[inline]
    pub fn observe_finish<C: Detach, U, O>(self, call: &mut C, outcome: O) -> T::Deferred
    where
        O: Fn(&mut T::Call, T::Value) -> U,
        T: DeferWith<K, O>,
    {
        self.value.defer(call.detach(), self.capture, outcome)
    }
}

impl<K, T: Defer<K>, E> Later<InResult<K>, Result<T, E>> {
    /// Lets the call go on, or fail.
    #[inline]
    pub fn observe_finish_result<C: Detach, U, O>(
        self,
        call: &mut C,
        outcome: O,
        failure: impl FnOnce(&mut C, &E),
    ) -> Result<T::Deferred, E>
    where
        O: Fn(&mut T::Call, T::Value) -> U,
        T: DeferWith<K, O>,
    {
        match self.value {
            Ok(value) => Ok(value.defer(call.detach(), self.capture, outcome)),
            Err(error) => {
                failure(call, &error);
                Err(error)
            }
        }
    }
}

/// What comes out of the value of an `Ok`.
impl<K, T: Defer<K>, E> Defer<InResult<K>> for Result<T, E> {
    type Call = T::Call;
    type Value = T::Value;
}

/// What comes out of the value of a `Some`.
impl<K, T: Defer<K>> Defer<InOption<K>> for Option<T> {
    type Call = T::Call;
    type Value = T::Value;
}

impl<K, T: DeferWith<K, O>, O> DeferWith<InOption<K>, O> for Option<T> {
    type Deferred = Option<T::Deferred>;

    #[inline]
    fn defer(self, call: Going, capture: bool, outcome: O) -> Option<T::Deferred> {
        match self {
            Some(value) => Some(value.defer(call, capture, outcome)),
            None => {
                end_with_none(call, capture);
                None
            }
        }
    }
}

/// Nothing is to come.
fn end_with_none(mut call: Going, capture: bool) {
    if capture {
        call.returned(&capture::probe(&()));
    } else {
        call.returned_nothing();
    }
}

/// Every other value: the call is over.
pub trait Now<T>: Sized {
    /// Nothing comes out.
    #[inline]
    fn observe_expecting<V>(self) -> Self {
        self
    }

    /// Records the value.
    fn observe_finish<C, U, O: FnOnce(&mut C, T) -> U>(self, call: &mut C, outcome: O) -> U;

    /// Records the value.
    fn observe_finish_result<C, U, O: FnOnce(&mut C, T) -> U>(
        self,
        call: &mut C,
        outcome: O,
        failure: impl FnOnce(&mut C, &Infallible),
    ) -> U;
}

impl<K, T> Now<T> for Later<K, T> {
    #[inline]
    fn observe_finish<C, U, O: FnOnce(&mut C, T) -> U>(self, call: &mut C, outcome: O) -> U {
        outcome(call, self.value)
    }

    #[inline]
    fn observe_finish_result<C, U, O: FnOnce(&mut C, T) -> U>(
        self,
        call: &mut C,
        outcome: O,
        _failure: impl FnOnce(&mut C, &Infallible),
    ) -> U {
        outcome(call, self.value)
    }
}
