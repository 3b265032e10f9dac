//! The entries of the journal, as bytes.
//!
//! An entry is a header of 8 bytes, a fixed part that depends on its kind, and a payload; the next one begins at the
//! next multiple of 8. All numbers are little-endian.
//!
//! | bytes | |
//! |--:|---|
//! | 0 | kind |
//! | 1 | code: a [`Field`] of a change, an [`Ending`] of an end, [`GIVEN_PARENT`] of a start |
//! | 2 | flags |
//! | 4..8 | length in bytes, header included, padding not |

/// Length of the header.
pub const HEADER: usize = 8;

/// Entries begin at multiples of this.
pub const ALIGN: usize = 8;

/// The byte that begins a raw string in a payload: `u32` length, little-endian, and the string's bytes follow. JSON text
/// never holds it.
pub const RAW_STRING: u8 = 0x01;

/// Set where the payload holds raw segments, which [`render`](super::render::render) turns into JSON.
pub const RAW: u8 = 1;

/// Set where the entry has a payload, which may be empty.
pub const PAYLOAD: u8 = 2;

/// Set where the payload was lost because the journal was full.
pub const LOST: u8 = 4;

/// The code of a start whose trace and parent the program named; that of others is 0.
pub const GIVEN_PARENT: u8 = 1;

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A span began: [`Start`], then its input.
    Start = 1,
    /// Something was said of a span: its id, the clock, then the value.
    Change = 2,
    /// A span ended: its id, its clock, then its output or error text.
    End = 3,
    /// The attributes of a number, as JSON, for the entries of this chunk that name it.
    Stamp = 4,
    /// A place in the source, by its number: [`SiteNote`](super::notes::SiteNote) as JSON.
    Site = 5,
    /// The process's clock at so many ticks: [`ClockNote`](super::notes::ClockNote) as JSON.
    Clock = 6,
    /// The process: [`observe_model::Resource`] as JSON.
    Resource = 7,
    /// Something beside spans: [`observe_model::Record`] as JSON.
    Record = 8,
}

impl Kind {
    #[inline]
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Start,
            2 => Self::Change,
            3 => Self::End,
            4 => Self::Stamp,
            5 => Self::Site,
            6 => Self::Clock,
            7 => Self::Resource,
            8 => Self::Record,
            _ => return None,
        })
    }

    /// Length of the fixed part between header and payload.
    #[inline]
    const fn fixed(self) -> usize {
        match self {
            Self::Start => Start::LEN,
            Self::Change | Self::End => 16,
            _ => 8,
        }
    }
}

/// Which part of a span a change sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Field {
    /// JSON.
    Input = 1,
    /// JSON.
    Output = 2,
    /// JSON string.
    Name = 3,
    /// JSON string.
    Model = 4,
    /// JSON string.
    Version = 5,
    /// JSON object, laid over the metadata there is.
    Metadata = 6,
    /// JSON of [`observe_model::Usage`].
    Usage = 7,
    /// JSON of [`observe_model::Cost`].
    Cost = 8,
    /// JSON string: a level's name.
    Level = 9,
    /// JSON string: the error's text; the span counts as failed from then on.
    Failed = 10,
    /// JSON object, laid over the input that there is.
    InputFields = 11,
    /// JSON string: a span type's name.
    SpanType = 12,
    /// JSON of [`observe_model::Details`], merged with those there are.
    Details = 13,
    /// JSON of [`observe_model::TraceUpdate`], merged with the one there is; it is about the span's trace.
    Trace = 14,
    /// Nothing: the first token or item came out at the entry's clock.
    First = 15,
    /// JSON string: the status message, which does not make the span fail.
    Message = 16,
    /// JSON array of strings: tags of this span alone, added to those of its scope.
    Tags = 17,
}

impl Field {
    const ALL: [Self; 17] = [
        Self::Input,
        Self::Output,
        Self::Name,
        Self::Model,
        Self::Version,
        Self::Metadata,
        Self::Usage,
        Self::Cost,
        Self::Level,
        Self::Failed,
        Self::InputFields,
        Self::SpanType,
        Self::Details,
        Self::Trace,
        Self::First,
        Self::Message,
        Self::Tags,
    ];

    /// The variant of this byte.
    pub fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|f| *f as u8 == byte)
    }
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ending {
    /// It returned; the payload is the output.
    Returned = 1,
    /// It returned `Err`; the payload is the error's text, a JSON string.
    Error = 2,
    /// It panicked; the payload is the panic's message, a JSON string.
    Panicked = 3,
    /// Its future was dropped before it finished.
    Cancelled = 4,
    /// Its stream or iterator was dropped before its end; the payload is the output so far.
    Abandoned = 5,
}

impl Ending {
    #[inline]
    /// The variant of this byte.
    pub fn of(byte: u8) -> Option<Self> {
        [Self::Returned, Self::Error, Self::Panicked, Self::Cancelled, Self::Abandoned]
            .into_iter()
            .find(|e| *e as u8 == byte)
    }
}

/// Fixed part of a start.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Its own id.
    pub span: u64,
    /// When it began.
    pub ticks: u64,
    /// The parent's id; 0 for a root.
    pub parent: u64,
    /// The trace's id.
    pub trace: u128,
    /// Number of the attributes in force; 0 for none.
    pub stamp: u64,
    /// Number of the place that began it.
    pub site: u32,
    /// Whether the program named trace and parent; said by the entry's [`code`](Start::code).
    pub given_parent: bool,
}

impl Start {
    /// Its length.
    pub const LEN: usize = 56;

    /// The code of its entry.
    #[inline(always)]
    pub fn code(&self) -> u8 {
        if self.given_parent { GIVEN_PARENT } else { 0 }
    }

    /// Writes it as it lies in an entry.
    #[inline(always)]
    pub fn write(&self, to: &mut [u8; Self::LEN]) {
        for (to, word) in to.as_chunks_mut::<8>().0.iter_mut().zip(self.words()) {
            *to = word.to_le_bytes();
        }
    }

    /// The numbers that it is.
    #[inline(always)]
    pub fn words(&self) -> [u64; Self::LEN / 8] {
        [
            self.span,
            self.ticks,
            self.parent,
            self.trace as u64,
            (self.trace >> 64) as u64,
            self.stamp,
            u64::from(self.site),
        ]
    }
}

/// Fixed part of a change or end: span and ticks.
#[inline]
pub fn moment(span: u64, ticks: u64) -> [u8; 16] {
    let mut b = [0; 16];
    b[..8].copy_from_slice(&span.to_le_bytes());
    b[8..].copy_from_slice(&ticks.to_le_bytes());
    b
}

/// The header of an entry of `len` bytes.
#[inline]
pub fn header(kind: Kind, code: u8, flags: u8, len: u32) -> [u8; HEADER] {
    let first = u32::from_le_bytes([kind as u8, code, 0, 0]) | u32::from(flags) << 16;
    // As one number: the bytes one by one would be as many stores.
    (u64::from(first) | u64::from(len) << 32).to_le_bytes()
}

/// What tells entries that belong together. Whether there is such a kind, and whether its fixed part is whole, was not
/// looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance<'a> {
    /// The [`Kind`]'s byte.
    pub kind: u8,
    /// [`Entry::id`].
    pub id: u64,
    /// All of the entry.
    pub bytes: &'a [u8],
    /// How far on the next one begins.
    pub next: usize,
}

/// One entry as it lies in a chunk.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// What it says.
    pub kind: Kind,
    /// A [`Field`] of a change, an [`Ending`] of an end, [`GIVEN_PARENT`] of a start.
    pub code: u8,
    flags: u8,
    /// Everything behind the header.
    body: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The entry at the head of `bytes`, and how far on the next one begins; `None` where there is no whole,
    /// well-formed entry. `bytes` may be anything.
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let header = bytes.first_chunk::<HEADER>()?;
        let len = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let kind = Kind::of(header[0])?;
        let body = bytes.get(HEADER..len)?;
        (body.len() >= kind.fixed())
            .then_some((Self { kind, code: header[1], flags: header[2], body }, len.next_multiple_of(ALIGN)))
    }

    /// A glance at the entry at the head of `bytes`: less than [`Entry::read`] costs, and all that most entries need.
    #[inline(always)]
    pub fn peek(bytes: &'a [u8]) -> Option<Glance<'a>> {
        let [kind, _, _, _, a, b, c, d] = *bytes.first_chunk::<HEADER>()?;
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        let bytes = bytes.get(..len)?;
        let [_, _, _, _, _, _, _, _, id @ ..] = *bytes.first_chunk::<{ HEADER + 8 }>()?;
        let next = (len + (ALIGN - 1)) & !(ALIGN - 1);
        Some(Glance { kind, id: u64::from_le_bytes(id), bytes, next })
    }

    #[inline]
    fn number(&self, at: usize) -> u64 {
        self.body.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
    }

    /// The span of a start, change or end; the number of a stamp.
    #[inline]
    pub fn id(&self) -> u64 {
        self.number(0)
    }

    /// The clock of a start, change or end.
    #[inline]
    pub fn ticks(&self) -> u64 {
        self.number(8)
    }

    /// The rest of a start.
    #[inline]
    pub fn start(&self) -> Start {
        Start {
            span: self.id(),
            ticks: self.ticks(),
            parent: self.number(16),
            trace: u128::from(self.number(24)) | (u128::from(self.number(32)) << 64),
            stamp: self.number(40),
            site: (self.number(48) & u64::from(u32::MAX)) as u32,
            given_parent: self.code == GIVEN_PARENT,
        }
    }

    /// What stands behind the fixed part, if the writer put anything there.
    #[inline]
    pub fn payload(&self) -> Option<Payload<'a>> {
        if self.flags & LOST != 0 {
            return Some(Payload::Lost);
        }
        let bytes = self.body.get(self.kind.fixed()..)?;
        (self.flags & PAYLOAD != 0).then_some(if self.flags & RAW != 0 {
            Payload::Raw(bytes)
        } else {
            Payload::Json(bytes)
        })
    }
}

/// The payload of an entry.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// JSON text.
    Json(&'a [u8]),
    /// JSON text with raw segments.
    Raw(&'a [u8]),
    /// There was no room for it.
    Lost,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_reads_back() {
        let start =
            Start { span: 1, ticks: 2, parent: 3, trace: 4 << 70, stamp: 5, site: 6, given_parent: true };
        let mut bytes = header(Kind::Start, start.code(), PAYLOAD, (HEADER + Start::LEN + 2) as u32).to_vec();
        let mut fixed = [0; Start::LEN];
        start.write(&mut fixed);
        bytes.extend(fixed);
        bytes.extend(b"{}\0\0\0\0\0\0");
        let (entry, next) = Entry::read(&bytes).unwrap();
        assert_eq!(next, bytes.len());
        let read = entry.start();
        assert_eq!(
            (read.span, read.ticks, read.parent, read.trace, read.stamp, read.site, read.given_parent),
            (1, 2, 3, 4 << 70, 5, 6, true)
        );
        assert!(matches!(entry.payload(), Some(Payload::Json(b"{}"))));
    }

    #[test]
    fn any_bytes_are_an_entry_or_none() {
        for kind in 0..=255 {
            for len in [0_u32, 7, 8, 16, 64, 200, u32::MAX] {
                let mut bytes = vec![kind, 9, 255, 0];
                bytes.extend(len.to_le_bytes());
                bytes.resize(100, 0xAA);
                if let Some((entry, next)) = Entry::read(&bytes) {
                    assert!(next <= 104);
                    let _ = (entry.start(), entry.payload());
                    let whole = &bytes[..HEADER + entry.body.len()];
                    let glance = Glance { kind, id: entry.id(), bytes: whole, next };
                    assert_eq!(Entry::peek(&bytes), Some(glance));
                }
            }
        }
    }
}
