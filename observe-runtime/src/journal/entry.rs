//! The entries of the journal, as bytes.
//!
//! An entry is a header of 8 bytes, a fixed part that depends on its kind, and a payload; the next one begins at the
//! next multiple of 8. All numbers are little-endian.
//!
//! | bytes | |
//! |--:|---|
//! | 0 | kind |
//! | 1 | code: a [`Field`] of a change, an [`Ending`] of an end |
//! | 2 | flags |
//! | 4..8 | length in bytes, header included, padding not |

/// Length of the header.
pub(crate) const HEADER: usize = 8;

/// Entries begin at multiples of this.
pub(crate) const ALIGN: usize = 8;

/// Set where the payload holds raw segments, which `capture::render` turns into JSON.
pub(crate) const RAW: u8 = 1;

/// Set where the entry has a payload, which may be empty.
pub(crate) const PAYLOAD: u8 = 2;

/// Set where the payload was lost because the journal was full.
pub(crate) const LOST: u8 = 4;

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A span began: [`Start`], then its input.
    Start = 1,
    /// Something was said of a span: its id, then the value.
    Change = 2,
    /// A span ended: [`End`], then its output or error text.
    End = 3,
    /// The attributes of a number, as JSON, for the entries of this chunk that name it.
    Stamp = 4,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Start, Self::Change, Self::End, Self::Stamp].into_iter().find(|k| *k as u8 == byte)
    }
}

/// Which part of a span a change sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Field {
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
    /// JSON number.
    Cost = 8,
    /// JSON string: a level's name.
    Level = 9,
    /// JSON string: the error's text; the span counts as failed from then on.
    Failed = 10,
}

impl Field {
    const ALL: [Self; 10] = [
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
    ];

    pub(crate) fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|f| *f as u8 == byte)
    }
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Ending {
    /// It returned; the payload is the output.
    Returned = 1,
    /// It returned `Err`; the payload is the error's text, a JSON string.
    Error = 2,
    /// It panicked; the payload is the panic's message, a JSON string.
    Panicked = 3,
    /// Its future was dropped before it finished.
    Cancelled = 4,
}

impl Ending {
    pub(crate) fn of(byte: u8) -> Option<Self> {
        [Self::Returned, Self::Error, Self::Panicked, Self::Cancelled].into_iter().find(|e| *e as u8 == byte)
    }
}

/// Fixed part of a start.
pub(crate) struct Start {
    pub(crate) span: u64,
    pub(crate) ticks: u64,
    /// 0 for a root.
    pub(crate) parent: u64,
    pub(crate) trace: u128,
    /// 0 for none.
    pub(crate) stamp: u64,
    pub(crate) site: u32,
}

impl Start {
    pub(crate) const LEN: usize = 56;

    #[inline]
    pub(crate) fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut b = [0; Self::LEN];
        b[..8].copy_from_slice(&self.span.to_le_bytes());
        b[8..16].copy_from_slice(&self.ticks.to_le_bytes());
        b[16..24].copy_from_slice(&self.parent.to_le_bytes());
        b[24..40].copy_from_slice(&self.trace.to_le_bytes());
        b[40..48].copy_from_slice(&self.stamp.to_le_bytes());
        b[48..52].copy_from_slice(&self.site.to_le_bytes());
        b
    }
}

/// Fixed part of an end: span and ticks.
#[inline]
pub(crate) fn end(span: u64, ticks: u64) -> [u8; 16] {
    let mut b = [0; 16];
    b[..8].copy_from_slice(&span.to_le_bytes());
    b[8..].copy_from_slice(&ticks.to_le_bytes());
    b
}

/// The header of an entry of `len` bytes.
#[inline]
pub(crate) fn header(kind: Kind, code: u8, flags: u8, len: u32) -> [u8; HEADER] {
    let l = len.to_le_bytes();
    [kind as u8, code, flags, 0, l[0], l[1], l[2], l[3]]
}

/// One entry as it lies in a chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) kind: Kind,
    pub(crate) code: u8,
    flags: u8,
    /// Everything behind the header.
    body: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The entry at the head of `bytes`, and how far on the next one begins; `None` where there is no whole,
    /// well-formed entry. `bytes` may be anything.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let header = bytes.first_chunk::<HEADER>()?;
        let len = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let kind = Kind::of(header[0])?;
        let body = bytes.get(HEADER..len)?;
        let fixed = match kind {
            Kind::Start => Start::LEN,
            Kind::End => 16,
            Kind::Change | Kind::Stamp => 8,
        };
        (body.len() >= fixed)
            .then_some((Self { kind, code: header[1], flags: header[2], body }, len.next_multiple_of(ALIGN)))
    }

    fn number(&self, at: usize) -> u64 {
        self.body.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
    }

    /// The span of a start, change or end; the number of a stamp.
    pub(crate) fn id(&self) -> u64 {
        self.number(0)
    }

    /// The clock of a start or end.
    pub(crate) fn ticks(&self) -> u64 {
        self.number(8)
    }

    /// The rest of a start.
    pub(crate) fn start(&self) -> Start {
        Start {
            span: self.id(),
            ticks: self.ticks(),
            parent: self.number(16),
            trace: u128::from(self.number(24)) | (u128::from(self.number(32)) << 64),
            stamp: self.number(40),
            site: (self.number(48) & u64::from(u32::MAX)) as u32,
        }
    }

    /// What stands behind the fixed part, if the writer put anything there.
    pub(crate) fn payload(&self) -> Option<Payload<'a>> {
        let fixed = match self.kind {
            Kind::Start => Start::LEN,
            Kind::End => 16,
            Kind::Change | Kind::Stamp => 8,
        };
        if self.flags & LOST != 0 {
            return Some(Payload::Lost);
        }
        let bytes = self.body.get(fixed..)?;
        (self.flags & PAYLOAD != 0).then_some(if self.flags & RAW != 0 {
            Payload::Raw(bytes)
        } else {
            Payload::Json(bytes)
        })
    }
}

/// The payload of an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Payload<'a> {
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
        let start = Start { span: 1, ticks: 2, parent: 3, trace: 4 << 70, stamp: 5, site: 6 };
        let mut bytes = header(Kind::Start, 0, PAYLOAD, (HEADER + Start::LEN + 2) as u32).to_vec();
        bytes.extend(start.to_bytes());
        bytes.extend(b"{}\0\0\0\0\0\0");
        let (entry, next) = Entry::read(&bytes).unwrap();
        assert_eq!(next, bytes.len());
        let read = entry.start();
        assert_eq!(
            (read.span, read.ticks, read.parent, read.trace, read.stamp, read.site),
            (1, 2, 3, 4 << 70, 5, 6)
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
                }
            }
        }
    }
}
