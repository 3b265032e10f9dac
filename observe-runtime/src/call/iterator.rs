//! An iterator that a function returned: the call goes on until it ends or is dropped.

use std::{fmt, iter::FusedIterator};

use super::{
    Going, Items,
    later::{AsIterator, Defer, DeferWith},
};

/// A returned iterator, with its span in force while it looks for the next item. `fold` and what is built on it stay
/// as they are: the caller's closure must not run inside the span.
#[derive(Clone)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct ObservedIterator<I: Iterator, O> {
    iterator: I,
    items: Items,
    outcome: O,
}

impl<I: Iterator, O> ObservedIterator<I, O> {
    #[inline]
    pub(super) fn new(iterator: I, call: Going, capture: bool, outcome: O) -> Self {
        Self { iterator, items: Items::new(call, capture), outcome }
    }
}

impl<I: Iterator> Defer<AsIterator> for I {
    type Call = Items;
    type Value = I::Item;
}

impl<I: Iterator, O> DeferWith<AsIterator, O> for I {
    type Deferred = ObservedIterator<I, O>;
    #[inline]
    fn defer(self, call: Going, capture: bool, outcome: O) -> Self::Deferred {
        ObservedIterator::new(self, call, capture, outcome)
    }
}

impl<I: Iterator, O: Fn(&mut Items, I::Item) -> I::Item> ObservedIterator<I, O> {
    /// Takes what `step` finds.
    #[inline]
    fn take(&mut self, step: impl FnOnce(&mut I) -> Option<I::Item>) -> Option<I::Item> {
        let Self { iterator, items, outcome } = self;
        match items.within(|| step(iterator)) {
            Some(item) => Some(outcome(items, item)),
            None => {
                items.end();
                None
            }
        }
    }
}

impl<I: Iterator, O: Fn(&mut Items, I::Item) -> I::Item> Iterator for ObservedIterator<I, O> {
    type Item = I::Item;

    #[inline]
    fn next(&mut self) -> Option<I::Item> {
        self.take(Iterator::next)
    }

    #[inline]
    fn nth(&mut self, n: usize) -> Option<I::Item> {
        self.take(|iterator| iterator.nth(n))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.iterator.size_hint()
    }
}

impl<I: DoubleEndedIterator, O: Fn(&mut Items, I::Item) -> I::Item> DoubleEndedIterator
    for ObservedIterator<I, O>
{
    #[inline]
    fn next_back(&mut self) -> Option<I::Item> {
        self.take(DoubleEndedIterator::next_back)
    }

    #[inline]
    fn nth_back(&mut self, n: usize) -> Option<I::Item> {
        self.take(|iterator| iterator.nth_back(n))
    }
}

impl<I: ExactSizeIterator, O: Fn(&mut Items, I::Item) -> I::Item> ExactSizeIterator
    for ObservedIterator<I, O>
{
    #[inline]
    fn len(&self) -> usize {
        self.iterator.len()
    }
}

impl<I: FusedIterator, O: Fn(&mut Items, I::Item) -> I::Item> FusedIterator for ObservedIterator<I, O> {}

impl<I: Iterator, O> Drop for ObservedIterator<I, O> {
    fn drop(&mut self) {
        let iterator = &self.iterator;
        self.items.dropped(|| iterator.size_hint());
    }
}

impl<I: Iterator + fmt::Debug, O> fmt::Debug for ObservedIterator<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iterator.fmt(f)
    }
}
