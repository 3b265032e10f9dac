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
    start: RawStart<'a>,
    end: RawEnd<'a>,
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) site: PlainSite<'a>,
    pub(crate) attributes: &'a TraceAttributes,
}

/// A site of whose spans it says all that neither their start nor their end does.
#[derive(Debug, Clone, Copy)]
pub struct PlainSite<'a>(pub(crate) &'a SiteNote<'a>);

impl<'a> PlainSite<'a> {
    /// This site; `None` if its spans have their name or place from elsewhere, or their output says something of them.
    pub fn of(site: &'a SiteNote<'a>) -> Option<Self> {
        let says_all = !site.name.is_empty() && !site.file.is_empty() && !is_model_call(site.span_type);
        says_all.then_some(Self(site))
    }
}

/// The entry of a start, as it lies in a chunk.
#[derive(Debug, Clone, Copy)]
pub struct RawStart<'a> {
    fixed: &'a [u8; HEADER + Start::LEN],
    payload: &'a [u8],
}

/// The same of an end.
#[derive(Debug, Clone, Copy)]
struct RawEnd<'a> {
    fixed: &'a [u8; HEADER + 16],
    payload: &'a [u8],
}

impl<'a> RawStart<'a> {
    /// The start that these bytes are; `None` if they are something else.
    #[inline(always)]
    pub fn read(entry: &'a [u8]) -> Option<Self> {
        let (fixed, payload) = split(entry, [Kind::Start as u8])?;
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
    fn trace(&self) -> u128 {
        u128::from(self.number(HEADER + 24)) | u128::from(self.number(HEADER + 32)) << 64
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

/// Header and fixed part, and the payload, of an entry whose header begins like this.
#[inline(always)]
fn split<const N: usize, const M: usize>(entry: &[u8], head: [u8; M]) -> Option<(&[u8; N], &[u8])> {
    entry.split_first_chunk::<N>().filter(|(fixed, _)| fixed.first_chunk() == Some(&head))
}

/// What stands behind the fixed part of an entry, as its flags say.
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

    /// The span of `start` and of the entry `end`, of this site and these attributes; `None` if it did not return, its ids are
    /// none, its parent was given, or it has its version from its attributes. `to_wall` converts ticks.
    #[inline(always)]
    pub fn read(
        start: RawStart<'a>,
        end: &'a [u8],
        site: PlainSite<'a>,
        attributes: &'a TraceAttributes,
        to_wall: impl Fn(u64) -> Timestamp,
    ) -> Option<Self> {
        let (fixed, payload) = split(end, [Kind::End as u8, Ending::Returned as u8])?;
        let end = RawEnd { fixed, payload };
        // Of a start the code is 0, unless it says something of its parent.
        if start.fixed[1] != 0 || attributes.version.is_some() {
            return None;
        }
        Some(Self {
            trace_id: TraceId::from_int(start.trace())?,
            span_id: SpanId::from_int(start.number(HEADER))?,
            began: to_wall(start.number(HEADER + 8)),
            ended: to_wall(number(end.fixed, HEADER + 8)),
            start,
            end,
            site,
            attributes,
        })
    }

    #[inline(always)]
    pub(crate) fn parent_id(&self) -> Option<SpanId> {
        SpanId::from_int(self.start.number(HEADER + 16))
    }

    /// What the recording process knows the site by.
    #[inline(always)]
    pub(crate) fn site_number(&self) -> u32 {
        self.start.site()
    }

    /// What the recording process knows the attributes by.
    #[inline(always)]
    pub(crate) fn stamp(&self) -> u64 {
        self.start.stamp()
    }

    #[inline(always)]
    pub(crate) fn input(&self) -> Option<Payload<'a>> {
        payload(self.start.fixed[2], self.start.payload)
    }

    #[inline(always)]
    pub(crate) fn output(&self) -> Option<Payload<'a>> {
        payload(self.end.fixed[2], self.end.payload)
    }

    /// The bytes of input and output, as far as there are any: JSON text, or with raw segments in it.
    pub fn payloads(&self) -> impl Iterator<Item = &'a [u8]> {
        [self.input(), self.output()].into_iter().flatten().filter_map(|payload| match payload {
            Payload::Json(bytes) | Payload::Raw(bytes) => Some(bytes),
            Payload::Lost => None,
        })
    }

    /// The same as a span, which borrows what it can.
    pub fn to_span(&self) -> Span<'a> {
        let PlainSite(site) = self.site;
        Span {
            parent_id: self.parent_id(),
            span_type: site.span_type,
            status: Status::Ok,
            level: site.level,
            end: Some(self.ended),
            input: self.input().map(text),
            output: self.output().map(text),
            code: Some(code(site)),
            attributes: Cow::Borrowed(self.attributes),
            ..Span::begin(self.trace_id, self.span_id, &*site.name, self.began)
        }
    }
}
