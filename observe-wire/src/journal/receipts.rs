//! What a destination that is told of traces step by step has got: kept in the file that stands for it beside the journal, so
//! that whoever reads the journal of a process that is gone tells it the rest and nothing else.
//!
//! The file is a row of records. A byte says what each is: [`POST`], a post that needs no telling any more, and the eight
//! bytes of its [`Key::of_trace`]; or [`NAME`], what the destination calls a trace, which is the trace's 16 bytes, a length
//! in one byte, and the name. Whatever else stands there ends it.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use observe_model::TraceId;

use crate::platform::Key;

/// A post that arrived, lies on disk to be sent, or was refused.
pub const POST: u8 = 1;

/// What the destination calls a trace.
pub const NAME: u8 = 2;

/// A larger file is made shorter, by the older half of it: about two million posts are left, which are more than the journal
/// has room for.
const LARGEST: usize = 32 * 1024 * 1024;

/// The first records of a trace, which are kept for as long as it goes on, in bytes.
const FIRST: usize = 64;

/// What a file says.
#[derive(Debug, Default)]
pub struct Receipts {
    posts: HashSet<u64>,
    names: HashMap<TraceId, String>,
}

impl Receipts {
    /// Reads a file, and how many bytes of it are records: the process may have been killed in the middle of the last one.
    ///
    /// ```
    /// use observe_model::TraceId;
    /// use observe_wire::{journal::receipts::Receipts, platform::Key};
    /// let (trace, other) = (TraceId::from_seed("a"), TraceId::from_seed("b"));
    /// let number = Key::END.of_trace(trace).to_le_bytes();
    /// let (receipts, length) = Receipts::read(&[&[1][..], &number, &[2, 0]].concat());
    /// assert!(receipts.has(trace, Key::END) && !receipts.has(other, Key::END));
    /// assert_eq!(length, 9);
    /// ```
    pub fn read(bytes: &[u8]) -> (Self, usize) {
        let (mut receipts, mut rest) = (Self::default(), bytes);
        while let Some((record, len)) = Record::read(rest) {
            match record {
                Record::Post(number) => drop(receipts.posts.insert(number)),
                Record::Name(trace, name) => drop(receipts.names.insert(trace, name.to_owned())),
            }
            rest = rest.get(len..).unwrap_or_default();
        }
        (receipts, bytes.len() - rest.len())
    }

    /// Whether the post of this key of a trace needs no telling any more.
    pub fn has(&self, trace: TraceId, key: Key) -> bool {
        self.posts.contains(&key.of_trace(trace))
    }

    /// What the destination calls the trace, if that is known.
    pub fn name(&self, trace: TraceId) -> Option<&str> {
        self.names.get(&trace).map(String::as_str)
    }
}

enum Record<'a> {
    Post(u64),
    Name(TraceId, &'a str),
}

impl<'a> Record<'a> {
    /// The record at the head of `bytes`, and its length.
    fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let (kind, rest) = bytes.split_first()?;
        match *kind {
            POST => Some((Self::Post(u64::from_le_bytes(*rest.first_chunk()?)), 9)),
            NAME => {
                let (trace, rest) = rest.split_first_chunk()?;
                let (len, rest) = rest.split_first()?;
                let name = str::from_utf8(rest.get(..usize::from(*len))?).ok()?;
                Some((Self::Name(TraceId::from_bytes(*trace)?, name), 18 + name.len()))
            }
            _ => None,
        }
    }
}

/// The bytes that say a post needs no telling any more.
pub(super) fn post(trace: TraceId, key: Key) -> [u8; 9] {
    let mut record = [POST; 9];
    record[1..].copy_from_slice(&key.of_trace(trace).to_le_bytes());
    record
}

/// Writes a file, for as long as its process lives.
#[derive(Debug)]
pub struct ReceiptFile {
    path: PathBuf,
    file: File,
    len: usize,
    largest: usize,
    /// The first records of the traces that go on.
    first: HashMap<TraceId, Vec<u8>>,
}

impl ReceiptFile {
    /// Goes on with the file that stands for a destination: see [`Home::create`](super::Home::create).
    ///
    /// # Errors
    /// What the system says if it cannot be written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file, len: 0, largest: LARGEST, first: HashMap::new() })
    }

    /// Notes that a post needs no telling any more.
    ///
    /// # Errors
    /// What the system says.
    pub fn note(&mut self, trace: TraceId, key: Key) -> io::Result<()> {
        let record = post(trace, key);
        match key {
            Key::BEGIN => drop(self.first.insert(trace, record.to_vec())),
            Key::END => drop(self.first.remove(&trace)),
            _ => self.remember(trace, &record),
        }
        self.append(&record)
    }

    /// Notes what the destination calls a trace. One that is longer than 255 bytes is not kept.
    ///
    /// # Errors
    /// What the system says.
    pub fn note_name(&mut self, trace: TraceId, name: &str) -> io::Result<()> {
        let Ok(len) = u8::try_from(name.len()) else { return Ok(()) };
        let record = [&[NAME][..], &trace.to_bytes(), &[len], name.as_bytes()].concat();
        self.remember(trace, &record);
        self.append(&record)
    }

    fn remember(&mut self, trace: TraceId, record: &[u8]) {
        if let Some(first) = self.first.get_mut(&trace).filter(|first| first.len() < FIRST) {
            first.extend_from_slice(record);
        }
    }

    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        if self.len + record.len() > self.largest {
            self.shorten()?;
        }
        self.len += record.len();
        self.file.write_all(record)
    }

    /// Leaves the newer half, and the first records of the traces that go on.
    fn shorten(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        File::open(&self.path)?.read_to_end(&mut bytes)?;
        let (mut rest, half) = (&bytes[..], bytes.len() / 2);
        while rest.len() > half
            && let Some((_, len)) = Record::read(rest)
        {
            rest = rest.get(len..).unwrap_or_default();
        }
        let mut kept: Vec<u8> = self.first.values().flatten().copied().collect();
        kept.extend_from_slice(rest);
        let shorter = self.path.with_extension("shorter");
        fs::write(&shorter, &kept)?;
        fs::rename(&shorter, &self.path)?;
        self.file = File::options().append(true).open(&self.path)?;
        self.len = kept.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(n: usize) -> TraceId {
        TraceId::from_seed(n.to_string())
    }

    fn read(path: &Path) -> Receipts {
        let bytes = fs::read(path).unwrap();
        let (receipts, len) = Receipts::read(&bytes);
        assert_eq!(len, bytes.len());
        receipts
    }

    #[test]
    fn what_is_noted_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.owed");
        assert!(ReceiptFile::open(&path).is_err(), "it stands for nobody");
        File::create(&path).unwrap();
        let mut file = ReceiptFile::open(&path).unwrap();
        file.note(trace(1), Key::BEGIN).unwrap();
        file.note_name(trace(1), "srv-1").unwrap();
        file.note_name(trace(2), &"x".repeat(256)).unwrap();
        let receipts = read(&path);
        assert!(receipts.has(trace(1), Key::BEGIN) && !receipts.has(trace(1), Key::END));
        assert_eq!((receipts.name(trace(1)), receipts.name(trace(2))), (Some("srv-1"), None));
    }

    #[test]
    fn a_file_does_not_grow_without_end_and_knows_the_traces_that_go_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.owed");
        File::create(&path).unwrap();
        let mut file = ReceiptFile { largest: 1_000, ..ReceiptFile::open(&path).unwrap() };
        file.note(trace(0), Key::BEGIN).unwrap();
        file.note_name(trace(0), "srv-0").unwrap();
        for n in 1..10_000 {
            file.note(trace(n), Key::BEGIN).unwrap();
            file.note(trace(n), Key::END).unwrap();
        }
        assert!(fs::metadata(&path).unwrap().len() <= 1_000);
        let receipts = read(&path);
        assert_eq!((receipts.has(trace(0), Key::BEGIN), receipts.name(trace(0))), (true, Some("srv-0")));
        assert!(receipts.has(trace(9_999), Key::END) && !receipts.has(trace(1), Key::END));
    }
}
