//! Encoded bytes that many spans share, by number: what their call site gives them, and what the scope they began in does.
//!
//! A number alone is not trusted: the same texts must lie at the same addresses, else they are encoded anew.

use observe_model::{Span, SpanType, TraceAttributes};

use super::openinference::{INPUT, OUTPUT, put_scope, put_site};

/// Slots for numbers: each number has one, which it shares with every `N`th other.
#[derive(Debug)]
pub(crate) struct Slots<T, const N: usize>(Box<[T; N]>);

impl<T: Default, const N: usize> Default for Slots<T, N> {
    fn default() -> Self {
        Self(Box::new(std::array::from_fn(|_| T::default())))
    }
}

impl<T, const N: usize> Slots<T, N> {
    #[inline(always)]
    pub(crate) fn of(&mut self, number: u64) -> &mut T {
        &mut self.0[(number % N as u64) as usize]
    }
}

/// Where a text lies and how long it is.
type Place = (usize, usize);

#[inline(always)]
fn place(text: &str) -> Place {
    (text.as_ptr().addr(), text.len())
}

/// What a call site says of each of its spans, and [`INPUT`].
#[derive(Debug, Default)]
pub(crate) struct Site {
    number: u32,
    span_type: SpanType,
    function: Place,
    encoded: Vec<u8>,
}

/// What a scope says of each span that began in it, and [`OUTPUT`].
#[derive(Debug, Default)]
pub(crate) struct Scope {
    number: u64,
    /// Where the attributes lie; the number says that they have not changed there.
    address: usize,
    encoded: Vec<u8>,
}

impl Site {
    /// The bytes for `span`, whose site has this number, not 0.
    #[inline(always)]
    pub(crate) fn encoded(&mut self, number: u32, span: &Span<'_>) -> &[u8] {
        if !self.is_of(number, span) {
            self.learn(number, span);
        }
        &self.encoded
    }

    #[inline(always)]
    fn is_of(&self, number: u32, span: &Span<'_>) -> bool {
        let Some(code) = &span.code else { return false };
        self.number == number && self.span_type == span.span_type && self.function == place(&code.function)
    }

    #[inline(never)]
    fn learn(&mut self, number: u32, span: &Span<'_>) {
        // A span without code has nothing to be known again by, so number 0 keeps it from being taken for another.
        self.number = if span.code.is_some() { number } else { 0 };
        self.span_type = span.span_type;
        self.function = span.code.as_ref().map_or((0, 0), |code| place(&code.function));
        self.encoded.clear();
        put_site(&mut self.encoded, span);
        self.encoded.extend_from_slice(INPUT.0);
    }
}

impl Scope {
    /// The bytes for a span in the scope of `attributes`, which has this number, not 0.
    #[inline(always)]
    pub(crate) fn encoded(&mut self, number: u64, attributes: &TraceAttributes) -> &[u8] {
        if self.number != number || self.address != std::ptr::from_ref(attributes).addr() {
            self.learn(number, attributes);
        }
        &self.encoded
    }

    #[inline(never)]
    fn learn(&mut self, number: u64, attributes: &TraceAttributes) {
        (self.number, self.address) = (number, std::ptr::from_ref(attributes).addr());
        self.encoded.clear();
        put_scope(&mut self.encoded, attributes, false);
        self.encoded.extend_from_slice(OUTPUT.0);
    }
}
