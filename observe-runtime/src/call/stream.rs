//! A stream that a function returned: the call goes on until it ends or is dropped.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::{FusedStream, Stream};

use super::{
    Going, Items,
    later::{AsStream, Defer, DeferWith},
};

pin_project_lite::pin_project! {
    /// A returned stream, with its span in force at every poll.
    #[derive(Clone)]
    #[must_use = "streams do nothing unless polled"]
    pub struct ObservedStream<S: Stream, O> {
        #[pin]
        stream: S,
        items: Items,
        outcome: O,
    }

    impl<S: Stream, O> PinnedDrop for ObservedStream<S, O> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let stream = this.stream;
            this.items.dropped(|| stream.size_hint());
        }
    }
}

impl<S: Stream, O> ObservedStream<S, O> {
    #[inline]
    pub(super) fn new(stream: S, call: Going, capture: bool, outcome: O) -> Self {
        Self { stream, items: Items::new(call, capture), outcome }
    }
}

impl<S: Stream> Defer<AsStream> for S {
    type Call = Items;
    type Value = S::Item;
}

impl<S: Stream, O> DeferWith<AsStream, O> for S {
    type Deferred = ObservedStream<S, O>;
    #[inline]
    fn defer(self, call: Going, capture: bool, outcome: O) -> Self::Deferred {
        ObservedStream::new(self, call, capture, outcome)
    }
}

impl<S: Stream, O: Fn(&mut Items, S::Item) -> S::Item> Stream for ObservedStream<S, O> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let stream = this.stream;
        this.items.within(|| stream.poll_next(task)).map(|item| match item {
            Some(item) => Some((this.outcome)(this.items, item)),
            None => {
                this.items.end();
                None
            }
        })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S: FusedStream, O: Fn(&mut Items, S::Item) -> S::Item> FusedStream for ObservedStream<S, O> {
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}

impl<S: Stream + fmt::Debug, O> fmt::Debug for ObservedStream<S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}
