//! A chunk as it lies in a journal file: a header, then entries up to the committed length.

/// Length of the header; entries begin here.
pub const HEADER: usize = 64;

/// The first bytes of a chunk; the last of them is the format's version.
pub const MAGIC: u64 = u64::from_le_bytes(*b"OBSJRNL\x02");

/// Where the capacity stands in the header: bytes of the chunk, header included.
pub const CAPACITY_AT: usize = 8;

/// Where the committed length stands in the header: bytes of entries behind the header.
pub const COMMITTED_AT: usize = 16;

/// Where the sequence number stands in the header: chunks of a process were taken in this order.
pub const SEQUENCE_AT: usize = 24;

/// Where it stands in the header how much has arrived: bytes of entries, of which every destination has the spans that end
/// there.
pub const ARRIVED_AT: usize = 32;

/// A chunk of a file.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    /// Its place in the order in which the process took chunks.
    pub sequence: u64,
    /// Its committed entries.
    pub entries: &'a [u8],
    /// How many bytes of them have arrived.
    pub arrived: usize,
}

impl Chunk<'_> {
    /// Whether the entry at the head of `rest`, which is the end of the chunk's entries, has arrived.
    pub(super) fn has_arrived(&self, rest: &[u8]) -> bool {
        self.entries.len() - rest.len() < self.arrived
    }
}

/// The chunks of a file, and how many bytes at its end are none. Zeros do not count: its process was about to begin
/// them.
pub fn chunks(mut file: &[u8]) -> (Vec<Chunk<'_>>, usize) {
    let mut chunks = Vec::new();
    while let Some((chunk, capacity)) = chunk(file) {
        chunks.push(chunk);
        file = &file[capacity..];
    }
    let is_empty = file.iter().all(|byte| *byte == 0);
    (chunks, if is_empty { 0 } else { file.len() })
}

/// The chunk at the head of `file`, and its length.
fn chunk(file: &[u8]) -> Option<(Chunk<'_>, usize)> {
    let (capacity, committed) = lengths(file, file.len() as u64)?;
    let (capacity, committed) = (usize::try_from(capacity).ok()?, usize::try_from(committed).ok()?);
    let arrived = usize::try_from(number(file, ARRIVED_AT)?).unwrap_or(0).min(committed);
    let entries = &file[HEADER..HEADER + committed];
    Some((Chunk { sequence: number(file, SEQUENCE_AT)?, entries, arrived }, capacity))
}

fn number(header: &[u8], at: usize) -> Option<u64> {
    header.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// The lengths of the chunk that begins with `header` and with which `left` bytes of a file begin: its own, and that of
/// its entries.
pub(super) fn lengths(header: &[u8], left: u64) -> Option<(u64, u64)> {
    if number(header, 0)? != MAGIC {
        return None;
    }
    let capacity = number(header, CAPACITY_AT).filter(|c| *c > HEADER as u64 && *c <= left)?;
    Some((capacity, number(header, COMMITTED_AT)?.min(capacity - HEADER as u64)))
}

/// Makes the chunk at byte `begin`, whose room was not read, the last one of `bytes`: as long as what it holds. One that
/// holds nothing goes.
pub(super) fn shorten(bytes: &mut Vec<u8>, begin: usize) {
    let len = bytes.len() - begin;
    match bytes.get_mut(begin + CAPACITY_AT..).and_then(|rest| rest.first_chunk_mut()) {
        Some(capacity) if len > HEADER => *capacity = (len as u64).to_le_bytes(),
        _ => bytes.truncate(begin),
    }
}
