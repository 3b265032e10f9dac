//! Encoded bytes that many spans share, by number: what their call site gives them, and what the scope they began in does.
//!
//! A number alone is not trusted: the same thing must lie at the same address, else it is encoded anew.

use observe_model::TraceAttributes;

use super::openinference::{INPUT, put_scope};
use crate::journal::notes::SiteNote;

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

/// What a call site gives each of its plain spans, from the head to the attributes of the site.
#[derive(Debug, Default)]
pub(crate) struct Site {
    key: u64,
    /// Where the note lies.
    address: usize,
    encoded: Vec<u8>,
}

/// What a scope gives each span that began in it, and [`INPUT`].
#[derive(Debug, Default)]
pub(crate) struct Scope {
    number: u64,
    /// Where the attributes lie; the number says that they have not changed there.
    address: usize,
    encoded: Vec<u8>,
}

impl Site {
    /// What tells the spans of the site of this number that have a parent, or those that have none.
    #[inline(always)]
    pub(crate) fn key(number: u32, has_parent: bool) -> u64 {
        u64::from(number) << 1 | u64::from(has_parent)
    }

    /// The bytes for spans of this key and site, which `encode` makes.
    #[inline(always)]
    pub(crate) fn encoded(
        &mut self,
        key: u64,
        site: &SiteNote<'_>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> &[u8] {
        let address = std::ptr::from_ref(site).addr();
        if self.key != key || self.address != address {
            (self.key, self.address) = (key, address);
            self.encoded.clear();
            encode(&mut self.encoded);
        }
        &self.encoded
    }
}

impl Scope {
    /// The bytes for a span in the scope of `attributes`, which has this number.
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
        self.encoded.extend_from_slice(INPUT.0);
    }
}
