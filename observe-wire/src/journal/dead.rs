//! What processes that are gone left in their directories: who may read it, in what portions, and when it is removed.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use observe_model::{Details, Json, Record, Resource, Span, TraceId};
use serde_json::Value;

use super::{
    Found, Recovered,
    chunk::{self, HEADER},
    home::{ENDING, LOCK, any_owed, clear_away, is_owed, owed_to, remove},
    receipts::{self, Receipts},
    recover,
};
use crate::platform::Key;

/// Ending of the names of directories that could not be read.
const DAMAGED: &str = "damaged";

/// What is handed on of one process at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// Spans.
    pub spans: Vec<Span<'static>>,
    /// Scores and metrics.
    pub records: Vec<Record>,
}

/// What a process that is gone left: nobody else reads it for the same destination meanwhile.
#[derive(Debug)]
pub struct Dead<'a> {
    files: Vec<Vec<u8>>,
    receipts: Receipts,
    /// The file that stands for the destination; none if the journal is not owed to it.
    owed: Option<&'a File>,
    damage: Option<String>,
}

impl Dead<'_> {
    /// Gives everything in it to `write`, but for what every destination has.
    ///
    /// # Errors
    /// What `write` said. What cannot be read is an error of [`each_dead`].
    pub fn read(
        &mut self,
        mut write: impl FnMut(&Resource, Batch) -> io::Result<()>,
    ) -> io::Result<Recovered> {
        let (recovered, damage) = write_all(&self.files, &mut write)?;
        self.damage = damage;
        Ok(recovered)
    }

    /// What of it the destination noted that it has got.
    pub fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    /// Notes one thing more: whoever reads this, should it be killed, needs not do it again.
    ///
    /// # Errors
    /// What the system says.
    pub fn note(&mut self, trace: TraceId, key: Key) -> io::Result<()> {
        match self.owed {
            Some(mut owed) => owed.write_all(&receipts::post(trace, key)),
            None => Ok(()),
        }
    }
}

/// Recovers the journals below `root` whose processes are gone and that are owed to the destination `name`, or to nobody in
/// particular: gives what they hold to `write`, process by process, and removes a journal once every destination has all of
/// it. Several may do this at once: nobody reads for a destination what another one is reading for it.
///
/// # Errors
/// What the system said of a journal that could not be read, or `write` of its spans; that journal stays. The others
/// are recovered all the same, and the first error is returned.
pub fn recover_dead(
    root: &Path,
    name: &str,
    mut write: impl FnMut(&Resource, Batch) -> io::Result<()>,
) -> io::Result<Recovered> {
    recover_each(root, name, false, |dead| dead.read(&mut write))
}

/// [`recover_dead`], and what is owed to other destinations alone is given too; it stays for those.
///
/// # Errors
/// As [`recover_dead`].
pub fn recover_all_dead(
    root: &Path,
    name: &str,
    mut write: impl FnMut(&Resource, Batch) -> io::Result<()>,
) -> io::Result<Recovered> {
    recover_each(root, name, true, |dead| dead.read(&mut write))
}

/// [`recover_dead`] where a process is to be looked at as a whole: `recover` gives what it made of each. A journal is taken
/// to have been recovered when that succeeds.
///
/// # Errors
/// As [`recover_dead`].
pub fn each_dead(
    root: &Path,
    name: &str,
    recover: impl FnMut(&mut Dead<'_>) -> io::Result<Recovered>,
) -> io::Result<Recovered> {
    recover_each(root, name, false, recover)
}

fn recover_each(
    root: &Path,
    name: &str,
    all: bool,
    mut recover: impl FnMut(&mut Dead<'_>) -> io::Result<Recovered>,
) -> io::Result<Recovered> {
    let mut sum = Recovered::default();
    let mut first_error = None;
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(sum),
        Err(error) => return Err(error),
    };
    for entry in entries.flatten().filter(|e| e.path().extension().is_none_or(|ending| ending != DAMAGED)) {
        let path = entry.path();
        let recovered = match Claim::take(&path, name, all) {
            Ok(Some(claim)) => recover_one(&path, claim, &mut recover),
            Ok(None) => continue,
            Err(error) => Err(error),
        };
        match recovered {
            Ok(recovered) => {
                sum.spans += recovered.spans;
                sum.interrupted += recovered.interrupted;
                sum.scores += recovered.scores;
                sum.metrics += recovered.metrics;
            }
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    first_error.map_or(Ok(sum), Err)
}

/// Spans handed to `write` at once.
const BATCH: usize = 1024;

/// Bytes of spans handed to `write` at once, about; a span may be larger by itself.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of one process's files that are read: twice what the runtime's bounds allow it.
const LIMIT: u64 = 512 * 1024 * 1024;

/// Bytes of a destination's file that are read.
const LARGEST_OWED: u64 = 64 * 1024 * 1024;

/// The right to read a dead process's journal for a destination.
struct Claim {
    _lock: File,
    /// The file that stands for the destination, locked; none if the journal is not owed to it.
    owed: Option<(PathBuf, File)>,
}

impl Claim {
    /// `None` if the process lives, the journal is not meant for the destination, or another process is reading it for that.
    fn take(path: &Path, name: &str, all: bool) -> io::Result<Option<Self>> {
        let lock = match File::options().write(true).open(path.join(LOCK)) {
            Ok(lock) => lock,
            // Its process is about to make the lock, or the journal is being removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                clear_away(path);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let owed = owed_to(path, name);
        let is_nobodys = !is_owed(path)?;
        // What is owed to several may be read for each of them at once.
        let locked = if is_nobodys { lock.try_lock() } else { lock.try_lock_shared() };
        if !is_free(locked)? {
            return Ok(None);
        }
        if is_nobodys || (all && !owed.exists()) {
            return Ok(Some(Self { _lock: lock, owed: None }));
        }
        let Ok(mine) = File::options().read(true).write(true).open(&owed) else { return Ok(None) };
        // Opened just before another process, which had it locked, removed it.
        if !is_free(mine.try_lock())? || !owed.exists() {
            return Ok(None);
        }
        Ok(Some(Self { _lock: lock, owed: Some((owed, mine)) }))
    }
}

/// What a destination noted in its file, which is written on behind that.
fn read_receipts(mut file: &File) -> io::Result<Receipts> {
    let mut bytes = Vec::new();
    file.take(LARGEST_OWED).read_to_end(&mut bytes)?;
    let (receipts, len) = Receipts::read(&bytes);
    file.set_len(len as u64)?;
    file.seek(SeekFrom::End(0))?;
    Ok(receipts)
}

fn is_free(locked: Result<(), TryLockError>) -> io::Result<bool> {
    match locked {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn recover_one(
    path: &Path,
    claim: Claim,
    recover: &mut impl FnMut(&mut Dead<'_>) -> io::Result<Recovered>,
) -> io::Result<Recovered> {
    let recovered = match read_files(path)? {
        Some(files) => {
            let owed = claim.owed.as_ref().map(|(_, file)| file);
            let receipts = owed.map(read_receipts).transpose()?.unwrap_or_default();
            let mut dead = Dead { files, receipts, owed, damage: None };
            let recovered = recover(&mut dead)?;
            dead.damage.map_or(Ok(recovered), Err)
        }
        None => Err(format!("its files are larger than {LIMIT} bytes, which no process writes")),
    };
    let is_others = |owed: &Path| claim.owed.as_ref().is_none_or(|(mine, _)| mine != owed);
    if recovered.is_ok() && !any_owed(path, is_others).unwrap_or(true) {
        remove(path)?;
        return recovered.map_err(io::Error::other);
    }
    // Locked until it is gone.
    if let Some((owed, _)) = &claim.owed {
        fs::remove_file(owed)?;
    }
    // The last one to have it clears up.
    let is_last = !is_owed(path).unwrap_or(false);
    match recovered {
        Ok(recovered) => {
            if is_last {
                remove(path)?;
            }
            Ok(recovered)
        }
        // Kept for whoever wants to look, but not read again at every start.
        Err(error) => {
            let aside = path.with_extension(DAMAGED);
            let now_at = if is_last && fs::rename(path, &aside).is_ok() { &aside } else { path };
            Err(io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", now_at.display())))
        }
    }
}

/// The bytes of the journal files in `directory`, without what their chunks have room for and do not hold; `None` if they
/// are too large.
fn read_files(directory: &Path) -> io::Result<Option<Vec<Vec<u8>>>> {
    let (mut files, mut left) = (Vec::new(), LIMIT);
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != ENDING) {
            continue;
        }
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let Some(rest) = left.checked_sub(len) else { return Ok(None) };
        left = rest;
        files.push(read_file(&file, len)?);
    }
    Ok(Some(files))
}

/// A file's chunks, each no longer than what it holds, and whatever is behind them.
fn read_file(mut file: &File, len: u64) -> io::Result<Vec<u8>> {
    let (mut bytes, mut left) = (Vec::new(), len);
    loop {
        let begin = bytes.len();
        file.take(HEADER as u64).read_to_end(&mut bytes)?;
        let Some((capacity, committed)) = bytes.get(begin..).and_then(|head| chunk::lengths(head, left))
        else {
            file.take(left).read_to_end(&mut bytes)?;
            return Ok(bytes);
        };
        file.take(committed).read_to_end(&mut bytes)?;
        chunk::shorten(&mut bytes, begin);
        left -= capacity;
        file.seek(SeekFrom::Start(len - left))?;
    }
}

/// Gives everything in `files` to `write`, and says what is wrong with them, if anything is. The error is that of `write`.
fn write_all(
    files: &[Vec<u8>],
    write: &mut impl FnMut(&Resource, Batch) -> io::Result<()>,
) -> io::Result<(Recovered, Option<String>)> {
    let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let (mut batch, mut bytes, mut process, mut written) = (Batch::default(), 0, Resource::default(), Ok(()));
    let recovered = recover(&files, |resource, found| {
        if written.is_err() {
            return;
        }
        if batch.spans.is_empty() && batch.records.is_empty() {
            process.clone_from(resource);
        }
        match found {
            Found::Span(span) => {
                bytes += weight(span);
                batch.spans.push(span.clone().into_owned());
            }
            Found::Record(record) => {
                bytes += weight_of_record(record);
                batch.records.push(record.clone());
            }
        }
        if batch.spans.len() + batch.records.len() >= BATCH || bytes >= BATCH_BYTES {
            written = write(resource, std::mem::take(&mut batch));
            bytes = 0;
        }
    });
    written?;
    if !batch.spans.is_empty() || !batch.records.is_empty() {
        write(&process, batch)?;
    }
    Ok(match recovered {
        Ok(recovered) if recovered.damaged == 0 => (recovered, None),
        Ok(recovered) => {
            let Recovered { damaged, spans, .. } = recovered;
            (
                recovered,
                Some(format!("{damaged} bytes are damaged; the {spans} spans in the others were recovered")),
            )
        }
        Err(error) => (Recovered::default(), Some(error.to_string())),
    })
}

/// What a span of one's own occupies, about.
fn weight(span: &Span<'_>) -> usize {
    let optional = [&span.input, &span.output, &span.status_message, &span.model, &span.version];
    let code = span.code.iter().map(|code| code.function.len() + code.file.len());
    let attributes = &*span.attributes;
    let scope = [&attributes.session, &attributes.user].into_iter().flatten().chain(&attributes.tags);
    let metadata = [&span.metadata, &attributes.metadata].into_iter().flatten();
    size_of::<Span<'_>>()
        + span.name.len()
        + optional.into_iter().flatten().map(|text| text.len()).sum::<usize>()
        + code.sum::<usize>()
        + scope.map(String::len).sum::<usize>()
        + metadata.map(|(key, value)| key.len() + weight_of(value)).sum::<usize>()
        + span.details.as_deref().map_or(0, weight_of_details)
}

/// What was said of a span occupies about what it does as JSON, and each part some memory of its own.
fn weight_of_details(details: &Details) -> usize {
    let parts = details.states.len() + details.events.len() + details.links.len() + details.errors.len();
    size_of::<Details>() + 128 * parts + Json::of(details).as_str().len()
}

fn weight_of_record(record: &Record) -> usize {
    size_of::<Record>() + Json::of(record).as_str().len()
}

fn weight_of(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(weight_of).sum(),
            Value::Object(members) => members.iter().map(|(key, value)| key.len() + weight_of(value)).sum(),
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::journal::{Home, home::LOCKED_BY};

    #[cfg(unix)]
    #[test]
    fn what_a_process_leaves_that_is_killed_while_it_clears_up_goes_too() {
        let root = tempfile::tempdir().unwrap();
        let [old, new] = ["1-a", "2-b"].map(|name| root.path().join(name));
        for path in [&old, &new] {
            fs::create_dir(path).unwrap();
            fs::write(path.join("000001.journal"), "half").unwrap();
        }
        let then = SystemTime::now() - 2 * LOCKED_BY;
        File::open(&old).unwrap().set_modified(then).unwrap();
        recover_dead(root.path(), "a", |_, _| panic!("nothing is there")).unwrap();
        assert_eq!((old.exists(), new.exists()), (false, true));
    }

    #[test]
    fn a_journal_that_is_being_removed_is_nobodys() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::create(root.path(), ["a"]).unwrap();
        let path = home.path().to_owned();
        drop(home);
        each_dead(root.path(), "a", |dead| dead.read(|_, _| Ok(()))).unwrap();
        assert!(!path.exists());
        let home = Home::create(root.path(), ["a", "b"]).unwrap();
        let (path, owed) = (home.path().to_owned(), home.owed("a"));
        drop(home);
        each_dead(root.path(), "a", |dead| dead.read(|_, _| Ok(()))).unwrap();
        assert_eq!((path.exists(), owed.exists()), (true, false));
        each_dead(root.path(), "b", |dead| dead.read(|_, _| Ok(()))).unwrap();
        assert!(!path.exists());
    }
}
