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
    let number = |at: usize| file.get(at..)?.first_chunk().map(|b| u64::from_le_bytes(*b));
    if number(0)? != MAGIC {
        return None;
    }
    let capacity = usize::try_from(number(CAPACITY_AT)?).ok().filter(|c| *c > HEADER && *c <= file.len())?;
    let committed = usize::try_from(number(COMMITTED_AT)?).unwrap_or(usize::MAX).min(capacity - HEADER);
    let arrived = usize::try_from(number(ARRIVED_AT)?).unwrap_or(0).min(committed);
    let entries = &file[HEADER..HEADER + committed];
    Some((Chunk { sequence: number(SEQUENCE_AT)?, entries, arrived }, capacity))
}
