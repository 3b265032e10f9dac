//! What could not be sent, on disk: a file for each request, oldest first, bounded in bytes and age.
//!
//! A file is one line of JSON that says where the request goes, and the body. It is written under another name and
//! renamed, so that what a process left half-written is never read. Several processes may share a directory: a
//! file is locked while it is being sent.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use observe_model::TraceId;
use serde::{Deserialize, Serialize};

use super::parcel::{Content, Order, Parcel};

/// Where requests wait, and how much of them.
#[derive(Debug, Clone)]
pub(crate) struct SpoolSettings {
    /// Made when the first request has to wait.
    pub(crate) directory: PathBuf,
    /// Bytes of all files; the oldest make room for the newest.
    pub(crate) bytes: u64,
    /// Older files are removed.
    pub(crate) age: Duration,
}

impl SpoolSettings {
    /// Below `directory`, with a limit of 256 MiB and a week.
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, bytes: 256 * 1024 * 1024, age: Duration::from_secs(7 * 24 * 60 * 60) }
    }
}

/// Ending of the names of requests, and of those that are being written.
const ENDING: &str = "request";
const PARTIAL: &str = "partial";

/// Requests of one span that were refused are kept for whoever wants to look, as many as this.
const REFUSED: &str = "refused";
const REFUSED_KEPT: usize = 100;

/// The longest first line of a file.
const LONGEST_HEAD: u64 = 64 * 1024;

/// The first line of a file.
#[derive(Serialize, Deserialize)]
struct Head {
    url: String,
    content: Content,
    spans: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<Order>,
}

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Nanoseconds since the epoch, a number, spans, process and, where the order matters, trace: names sort by age and
    /// tell everything but the contents.
    name: String,
    at: u64,
    spans: u64,
    trace: Option<TraceId>,
    bytes: u64,
}

/// The file of a request that was taken from disk, locked until it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    waiting: Waiting,
    _lock: File,
}

/// The requests of one destination.
#[derive(Debug)]
pub(super) struct Spool {
    settings: SpoolSettings,
    files: VecDeque<Waiting>,
    bytes: u64,
    /// Makes names unique within the process.
    count: u64,
}

impl Spool {
    /// What earlier processes left.
    pub(super) fn open(settings: SpoolSettings) -> Self {
        let mut spool = Self { settings, files: VecDeque::new(), bytes: 0, count: 0 };
        spool.look();
        spool
    }

    /// Reads the directory anew. One that is not there holds nothing.
    pub(super) fn look(&mut self) {
        let entries = fs::read_dir(&self.settings.directory).into_iter().flatten().flatten();
        let files = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (at, spans, trace) = parse(&name)?;
            Some(Waiting { name, at, spans, trace, bytes: entry.metadata().ok()?.len() })
        });
        let mut files: Vec<_> = files.collect();
        files.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
        self.bytes = files.iter().map(|file| file.bytes).sum();
        self.files = files.into();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether requests of the trace wait here, so that a newer one has to wait behind them.
    pub(super) fn holds(&self, trace: TraceId) -> bool {
        self.files.iter().any(|file| file.trace == Some(trace))
    }

    /// Keeps a request. Gives the spans that had to make room for it.
    ///
    /// # Errors
    /// What the system says, if it cannot be written.
    pub(super) fn put(&mut self, parcel: &Parcel, now: SystemTime) -> io::Result<u64> {
        make_private(&self.settings.directory)?;
        let at = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        // Behind all others, also where the clock was set back.
        let at = self.files.back().map_or(at, |last| at.max(last.at));
        self.count += 1;
        let trace = parcel.order.map(|order| order.trace);
        let of = trace.map(|trace| format!("-{trace}")).unwrap_or_default();
        let name =
            format!("{at:020}-{:010}-{}-{}{of}.{ENDING}", self.count, parcel.spans, std::process::id());
        // The journal of a process that was killed, which this may come from, is not forced to the disk either, and may be many
        // small requests.
        let bytes = write(&self.settings.directory.join(&name), parcel, parcel.account.is_some())?;
        self.bytes += bytes;
        self.files.push_back(Waiting { name, at, spans: parcel.spans, trace, bytes });
        Ok(self.shrink(now))
    }

    /// Removes what is too old, and the oldest while there is too much. Gives the spans in them.
    pub(super) fn shrink(&mut self, now: SystemTime) -> u64 {
        let oldest =
            now.checked_sub(self.settings.age).and_then(|oldest| oldest.duration_since(UNIX_EPOCH).ok());
        let oldest = oldest.unwrap_or_default().as_nanos() as u64;
        let mut lost = 0;
        while let Some(first) = self.files.front() {
            // The newest stays, however large.
            let too_much = self.bytes > self.settings.bytes && self.files.len() > 1;
            if first.at >= oldest && !too_much {
                break;
            }
            lost += first.spans;
            let first = first.clone();
            self.delete(&first);
        }
        lost
    }

    /// The oldest request that no other process is sending, nor one before it of the same trace. What cannot be read is set
    /// aside.
    pub(super) fn take(&mut self) -> Option<(Parcel, Taken)> {
        let (mut at, mut busy) = (0, Vec::new());
        while let Some(waiting) = self.files.get(at).cloned() {
            if waiting.trace.is_some_and(|trace| busy.contains(&trace)) {
                at += 1;
                continue;
            }
            let path = self.settings.directory.join(&waiting.name);
            let Ok(file) = File::options().read(true).write(true).open(&path) else {
                // Another process has sent it.
                self.forget(&waiting);
                continue;
            };
            if file.try_lock().is_err() {
                busy.extend(waiting.trace);
                at += 1;
                continue;
            }
            // Opened just before another process, which held the lock, removed it.
            if !path.exists() {
                self.forget(&waiting);
                continue;
            }
            match read(&file) {
                Ok(parcel) => return Some((parcel, Taken { waiting, _lock: file })),
                Err(_) => {
                    let _ = fs::rename(&path, path.with_extension("damaged"));
                    self.forget(&waiting);
                }
            }
        }
        None
    }

    /// Writes into the requests of a trace what the receiver calls it. One that cannot be written stays as it is.
    pub(super) fn set_name(&mut self, trace: TraceId, name: &str) {
        for waiting in self.files.iter_mut().filter(|file| file.trace == Some(trace)) {
            let path = self.settings.directory.join(&waiting.name);
            let parcel = File::open(&path).and_then(|file| read(&file));
            if let Ok(parcel) = parcel
                && parcel.needs_name()
                && let Ok(bytes) = write(&path, &parcel.named(name), true)
            {
                self.bytes = (self.bytes + bytes).saturating_sub(waiting.bytes);
                waiting.bytes = bytes;
            }
        }
    }

    /// Removes a request that has arrived, or never will.
    pub(super) fn remove(&mut self, taken: &Taken) {
        self.delete(&taken.waiting);
    }

    fn delete(&mut self, waiting: &Waiting) {
        let _ = fs::remove_file(self.settings.directory.join(&waiting.name));
        self.forget(waiting);
    }

    fn forget(&mut self, waiting: &Waiting) {
        if let Some(at) = self.files.iter().position(|file| file.name == waiting.name) {
            self.files.remove(at);
            self.bytes = self.bytes.saturating_sub(waiting.bytes);
        }
    }

    /// Keeps a request that was refused, beside the others; gives its path. The oldest of many make room.
    pub(super) fn set_aside(&mut self, parcel: &Parcel, now: SystemTime) -> io::Result<PathBuf> {
        let directory = self.settings.directory.join(REFUSED);
        make_private(&directory)?;
        let mut kept: Vec<_> = fs::read_dir(&directory)?.flatten().map(|entry| entry.path()).collect();
        kept.sort();
        for old in kept.iter().take(kept.len().saturating_sub(REFUSED_KEPT - 1)) {
            let _ = fs::remove_file(old);
        }
        self.count += 1;
        let at = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = directory.join(format!("{at:020}-{:010}-{}.{ENDING}", self.count, std::process::id()));
        write(&path, parcel, true)?;
        Ok(path)
    }
}

/// When a file was written, how many spans are in it, and of which trace, where that matters.
fn parse(name: &str) -> Option<(u64, u64, Option<TraceId>)> {
    let mut parts = name.strip_suffix(ENDING)?.strip_suffix('.')?.split('-');
    let (at, spans) = (parts.next()?.parse().ok()?, parts.nth(1)?.parse().ok()?);
    Some((at, spans, parts.nth(1).and_then(|trace| trace.parse().ok())))
}

/// A directory that only its owner can look into: requests hold what the program said.
fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file and, if it `lasts`, has it survive the machine.
fn write(path: &Path, parcel: &Parcel, lasts: bool) -> io::Result<u64> {
    let Parcel { url, order, content, spans, .. } = parcel;
    let head = Head { url: url.to_string(), content: *content, spans: *spans, order: *order };
    let mut bytes = serde_json::to_vec(&head)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(&parcel.body);
    let partial = path.with_extension(PARTIAL);
    let written = (|| {
        let mut file = File::create(&partial)?;
        file.write_all(&bytes)?;
        if lasts {
            file.sync_data()?;
        }
        fs::rename(&partial, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written.map(|()| bytes.len() as u64)
}

fn read(file: &File) -> io::Result<Parcel> {
    let mut reader = BufReader::new(file);
    let mut head = Vec::new();
    reader.by_ref().take(LONGEST_HEAD).read_until(b'\n', &mut head)?;
    let Head { url, content, spans, order } = serde_json::from_slice(&head)?;
    let mut body = Vec::new();
    reader.read_to_end(&mut body)?;
    Ok(Parcel {
        url: Arc::from(url),
        order,
        body: body.into(),
        content,
        spans,
        keys: Vec::new(),
        account: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(body: &[u8], spans: u64) -> Parcel {
        Parcel {
            url: "http://x/v1/traces".into(),
            order: None,
            body: body.to_vec().into(),
            content: Content::Protobuf,
            spans,
            keys: Vec::new(),
            account: None,
        }
    }

    fn now(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    fn settings(directory: &Path) -> SpoolSettings {
        SpoolSettings::new(directory.join("spool"))
    }

    #[test]
    fn requests_survive_a_restart_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(settings(directory.path()));
        assert!(spool.is_empty() && !directory.path().join("spool").exists());
        for n in 0..12 {
            assert_eq!(spool.put(&parcel(&[n, b'\n', 0, 255], u64::from(n)), now(0)).unwrap(), 0);
        }
        drop(spool);

        let mut spool = Spool::open(settings(directory.path()));
        for n in 0..12 {
            let (parcel, taken) = spool.take().unwrap();
            assert_eq!((&parcel.body[..], parcel.spans), (&[n, b'\n', 0, 255][..], u64::from(n)));
            assert_eq!((&*parcel.url, parcel.content), ("http://x/v1/traces", Content::Protobuf));
            spool.remove(&taken);
        }
        assert!(spool.take().is_none() && Spool::open(settings(directory.path())).is_empty());
    }

    #[test]
    fn the_oldest_make_room_and_the_old_expire() {
        let directory = tempfile::tempdir().unwrap();
        let limits =
            SpoolSettings { bytes: 2_500, age: Duration::from_secs(100), ..settings(directory.path()) };
        let mut spool = Spool::open(limits.clone());
        let lost: Vec<_> = (0..4).map(|n| spool.put(&parcel(&[0; 1_000], n + 1), now(n)).unwrap()).collect();
        assert_eq!(lost, [0, 0, 1, 2]);
        assert_eq!(spool.shrink(now(102)), 0);
        assert_eq!(spool.shrink(now(103)), 3);
        assert_eq!(spool.put(&parcel(&[0; 9_000], 9), now(104)).unwrap(), 4);
        assert_eq!(Spool::open(limits).take().unwrap().0.spans, 9);
    }

    #[test]
    fn two_processes_do_not_send_the_same_request() {
        let directory = tempfile::tempdir().unwrap();
        let mut one = Spool::open(settings(directory.path()));
        one.put(&parcel(b"a", 1), now(0)).unwrap();
        one.put(&parcel(b"b", 1), now(1)).unwrap();
        let mut other = Spool::open(settings(directory.path()));
        let ((a, first), (b, second)) = (one.take().unwrap(), other.take().unwrap());
        assert_eq!((&a.body[..], &b.body[..]), (&b"a"[..], &b"b"[..]));
        one.remove(&first);
        drop(first);
        other.remove(&second);
        drop(second);
        assert!(one.take().is_none() && other.take().is_none());
    }

    #[test]
    fn two_processes_keep_the_order_of_a_trace_between_them() {
        let directory = tempfile::tempdir().unwrap();
        let mut one = Spool::open(settings(directory.path()));
        let [a, b] = ["a", "b"].map(|trace| Some(Order::of(TraceId::from_seed(trace))));
        // The clock is set back meanwhile.
        for (body, order, at) in [(b"a1", a, 9), (b"a2", a, 0), (b"b1", b, 5)] {
            one.put(&Parcel { order, ..parcel(body, 0) }, now(at)).unwrap();
        }
        let mut other = Spool::open(settings(directory.path()));
        let take = |spool: &mut Spool| spool.take().map(|(parcel, taken)| (parcel.body, taken));
        let (first, second) = (take(&mut one).unwrap(), take(&mut other).unwrap());
        assert_eq!((&first.0[..], &second.0[..]), (&b"a1"[..], &b"b1"[..]));
        assert!(take(&mut other).is_none(), "the second of `a` waits for its first");
        one.remove(&first.1);
        drop(first);
        assert_eq!(take(&mut other).unwrap().0, &b"a2"[..]);
    }

    #[test]
    fn requests_on_disk_learn_what_the_receiver_calls_their_trace() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(settings(directory.path()));
        let [a, b] = ["a", "b"].map(TraceId::from_seed);
        for trace in [a, b] {
            let url = "http://x/{trace}/spans".into();
            spool.put(&Parcel { url, order: Some(Order::of(trace)), ..parcel(b"x", 1) }, now(0)).unwrap();
        }
        assert!(spool.holds(a) && !spool.holds(TraceId::from_seed("c")));
        spool.set_name(a, "srv-1");
        let mut spool = Spool::open(settings(directory.path()));
        assert_eq!(spool.bytes, spool.files.iter().map(|file| file.bytes).sum::<u64>());
        for url in ["http://x/srv-1/spans", "http://x/{trace}/spans"] {
            let (parcel, taken) = spool.take().unwrap();
            assert_eq!((&*parcel.url, &parcel.body[..]), (url, &b"x"[..]));
            spool.remove(&taken);
        }
        assert!(!spool.holds(a));
    }

    #[test]
    fn damaged_and_foreign_files_stand_in_nobodys_way() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(settings(directory.path()));
        spool.put(&parcel(b"a", 1), now(1)).unwrap();
        let place = directory.path().join("spool");
        for (name, bytes) in [
            ("00000000000000000001-1-1-1.request", &b"{\"url\":1}\n"[..]),
            ("00000000000000000002-1-1-1.request", b""),
            ("00000000000000000003-1-1-1.partial", b"half"),
            ("notes.txt", b"mine"),
        ] {
            fs::write(place.join(name), bytes).unwrap();
        }
        let mut spool = Spool::open(SpoolSettings { age: Duration::MAX, ..settings(directory.path()) });
        assert_eq!(spool.take().unwrap().0.body, &b"a"[..]);
        assert!(
            place.join("notes.txt").exists() && place.join("00000000000000000001-1-1-1.damaged").exists()
        );
    }

    #[test]
    fn refused_requests_are_kept_to_be_looked_at_but_not_without_end() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(settings(directory.path()));
        for n in 0..REFUSED_KEPT as u64 + 3 {
            let path = spool.set_aside(&parcel(format!("{n}").as_bytes(), 1), now(n)).unwrap();
            assert!(fs::read_to_string(path).unwrap().ends_with(&format!("}}\n{n}")));
        }
        assert_eq!(fs::read_dir(directory.path().join("spool").join(REFUSED)).unwrap().count(), REFUSED_KEPT);
        assert!(Spool::open(settings(directory.path())).is_empty());
    }
}
