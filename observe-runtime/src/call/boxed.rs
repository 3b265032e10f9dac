//! Boxed futures, streams and iterators, which are known by their types: the observed one is boxed anew.
#![allow(unsafe_code)]

use std::{future::Future, mem, pin::Pin};

use futures_core::Stream;

use super::{
    Going, Items,
    deferred::ObservedFuture,
    iterator::ObservedIterator,
    later::{AsBoxed, Defer, DeferWith},
    stream::ObservedStream,
};

/// Implements the traits for a boxed trait object with each set of auto traits.
macro_rules! boxed {
    ($family:ident $object:tt $pointer:ident [$({$($auto:ident)*})+]) => {
        $(boxed! { @one $family $object $pointer $($auto)* })+
    };
    (@one $family:ident ($($object:tt)+) Pin $($auto:ident)*) => {
        boxed! {
            @impl $family (Pin<Box<dyn $($object)+ $(+ $auto)* + 'a>>) (Pin<Box<dyn $($object)+ $(+ $auto)* + '_>>)
            (Box::pin) $($auto)*
        }
    };
    (@one $family:ident ($($object:tt)+) Box $($auto:ident)*) => {
        boxed! {
            @impl $family (Box<dyn $($object)+ $(+ $auto)* + 'a>) (Box<dyn $($object)+ $(+ $auto)* + '_>)
            (Box::new) $($auto)*
        }
    };
    (@impl $family:ident ($boxed:ty) ($shorter:ty) ($new:expr) $($auto:ident)*) => {
        impl<'a, T> Defer<AsBoxed> for $boxed {
            type Call = boxed!(@call $family);
            type Value = T;
        }

        impl<'a, T, O> DeferWith<AsBoxed, O> for $boxed
        where
            O: Fn(&mut boxed!(@call $family), T) -> T $(+ $auto)* + 'a,
        {
            type Deferred = Self;
            #[inline]
            fn defer(self, call: Going, capture: bool, outcome: O) -> Self {
                if !call.is_live() {
                    return self;
                }
                let observed: $shorter = $new(boxed!(@new $family (self, call, capture, outcome)));
                // The compiler cannot be told that `T` lives as long as the box: that may be a parameter of the user's `impl`,
                // of which nothing says so, although it is used in this very type.
                // SAFETY: only the lifetime changes, to that of what was boxed before. What is boxed now holds it and
                // `outcome`, which live for `'a`, and a call, which borrows nothing. It is valid for as long as they are.
                unsafe { mem::transmute::<$shorter, Self>(observed) }
            }
        }
    };
    (@call future) => { Going };
    (@call $family:ident) => { Items };
    (@new future ($value:expr, $call:expr, $capture:expr, $outcome:expr)) => {{
        _ = $capture;
        ObservedFuture::new($value, $call, $outcome)
    }};
    (@new stream ($($argument:expr),+)) => { ObservedStream::new($($argument),+) };
    (@new iterator ($($argument:expr),+)) => { ObservedIterator::new($($argument),+) };
}

boxed! { future (Future<Output = T>) Pin [{} {Send} {Sync} {Send Sync}] }
boxed! { future (Future<Output = T>) Box [{Unpin} {Send Unpin} {Sync Unpin} {Send Sync Unpin}] }
boxed! { stream (Stream<Item = T>) Pin [{} {Send} {Sync} {Send Sync}] }
boxed! { stream (Stream<Item = T>) Box [{Unpin} {Send Unpin} {Sync Unpin} {Send Sync Unpin}] }
boxed! { iterator (Iterator<Item = T>) Box [{} {Send} {Sync} {Send Sync}] }
boxed! { iterator (DoubleEndedIterator<Item = T>) Box [{} {Send} {Sync} {Send Sync}] }
boxed! { iterator (ExactSizeIterator<Item = T>) Box [{} {Send} {Sync} {Send Sync}] }
