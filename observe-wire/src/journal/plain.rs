//! The span that most entries make: one that returned, and of which nothing was said but its start and its end.

use std::borrow::Cow;

use observe_model::{Span, SpanId, Status, Timestamp, TraceAttributes, TraceId};

use super::{
    assemble::{code, text},
    entry::{Ending, HEADER, Kind, LOST, PAYLOAD, Payload, RAW, Start},
    notes::SiteNote,
};
use crate::provider::is_model_call;

/// A span that returned and of which only its start and its end say anything. Nothing of it is decoded, copied or
/// allocated, which [`Span`] is there for: [`Plain::to_span`].
///
/// Payloads are taken for the UTF-8 that the journal's writer makes of `str` and JSON: who has entries that
/// anybody else may have written, such as those of a file, calls [`assemble`](super::assemble::assemble), which looks.
#[derive(Debug, Clone, Copy)]
pub struct Plain<'a> {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent_id: Option<SpanId>,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) input: Option<Payload<'a>>,
    pub(crate) output: Option<Payload<'a>>,
    /// What the recording process knows the site and the scope by.
    pub(crate) site_number: u32,
    pub(crate) stamp: u64,
    pub(crate) site: &'a SiteNote<'a>,
    pub(crate) attributes: &'a TraceAttributes,
}

/// The entry of a start, as it lies in a chunk.
#[derive(Debug, Clone, Copy)]
pub struct RawStart<'a> {
    fixed: &'a [u8; HEADER + Start::LEN],
    payload: &'a [u8],
}

impl<'a> RawStart<'a> {
    /// The start at the head of `bytes`; `None` if it is something else, or not whole.
    #[inline(always)]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, payload) = split(bytes, Kind::Start)?;
        Some(Self { fixed, payload })
    }

    /// The number of its place.
    #[inline(always)]
    pub fn site(&self) -> u32 {
        self.number(HEADER + 48) as u32
    }

    /// The number of its attributes; 0 for none.
    #[inline(always)]
    pub fn stamp(&self) -> u64 {
        self.number(HEADER + 40)
    }

    #[inline(always)]
    fn number(&self, at: usize) -> u64 {
        number(self.fixed, at)
    }
}

/// A number of a fixed part.
#[inline(always)]
fn number<const N: usize>(fixed: &[u8; N], at: usize) -> u64 {
    fixed.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Header and fixed part, and the payload, of the entry of this kind at the head of `bytes`.
#[inline(always)]
fn split<const N: usize>(bytes: &[u8], kind: Kind) -> Option<(&[u8; N], &[u8])> {
    let (fixed, rest) = bytes.split_first_chunk::<N>()?;
    let len = u32::from_le_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]) as usize;
    let payload = rest.get(..len.checked_sub(N)?)?;
    (fixed[0] == kind as u8).then_some((fixed, payload))
}

/// Whether name, place and version are the site's, and its output says nothing of the span itself.
#[inline(always)]
fn site_says_all(site: &SiteNote<'_>, attributes: &TraceAttributes) -> bool {
    !site.name.is_empty()
        & !site.file.is_empty()
        & attributes.version.is_none()
        & !is_model_call(site.span_type)
}

#[inline(always)]
fn payload(flags: u8, bytes: &[u8]) -> Option<Payload<'_>> {
    match flags {
        PAYLOAD => Some(Payload::Json(bytes)),
        _ if flags & LOST != 0 => Some(Payload::Lost),
        _ if flags & PAYLOAD == 0 => None,
        _ if flags & RAW != 0 => Some(Payload::Raw(bytes)),
        _ => Some(Payload::Json(bytes)),
    }
}

impl<'a> Plain<'a> {
    /// The trace it belongs to.
    #[inline]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span of `start` and of the end at the head of `end`, of this site and these attributes; `None` if it did not
    /// return, its ids are none, its parent was given, or it has its name, place or version from elsewhere than its site. `to_wall` converts ticks.
    #[inline(always)]
    pub fn read(
        start: &RawStart<'a>,
        end: &'a [u8],
        site: &'a SiteNote<'a>,
        attributes: &'a TraceAttributes,
        to_wall: impl Fn(u64) -> Timestamp,
    ) -> Option<Self> {
        let (fixed, output) = split::<{ HEADER + 16 }>(end, Kind::End)?;
        // Of a start the code is 0, unless it says something of its parent.
        let is_plain = ((fixed[1] ^ Ending::Returned as u8) | start.fixed[1]) == 0;
        if !is_plain || !site_says_all(site, attributes) {
            return None;
        }
        let trace = u128::from(start.number(HEADER + 24)) | u128::from(start.number(HEADER + 32)) << 64;
        Some(Self {
            trace_id: TraceId::from_int(trace)?,
            span_id: SpanId::from_int(start.number(HEADER))?,
            parent_id: SpanId::from_int(start.number(HEADER + 16)),
            start: to_wall(start.number(HEADER + 8)),
            end: to_wall(number(fixed, HEADER + 8)),
            input: payload(start.fixed[2], start.payload),
            output: payload(fixed[2], output),
            site_number: start.site(),
            stamp: start.stamp(),
            site,
            attributes,
        })
    }

    /// The bytes of input and output, as far as there are any: JSON text, or with raw segments in it.
    pub fn payloads(&self) -> impl Iterator<Item = &'a [u8]> {
        [self.input, self.output].into_iter().flatten().filter_map(|payload| match payload {
            Payload::Json(bytes) | Payload::Raw(bytes) => Some(bytes),
            Payload::Lost => None,
        })
    }

    /// The same as a span, which borrows what it can.
    pub fn to_span(&self) -> Span<'a> {
        let name = &*self.site.name;
        Span {
            parent_id: self.parent_id,
            span_type: self.site.span_type,
            status: Status::Ok,
            level: self.site.level,
            end: Some(self.end),
            input: self.input.map(text),
            output: self.output.map(text),
            code: Some(code(self.site)),
            attributes: Cow::Borrowed(self.attributes),
            ..Span::begin(self.trace_id, self.span_id, name, self.start)
        }
    }
}
