//! What processes that were killed had recorded and not sent: made requests of, which wait on disk for their turn.

use std::{fmt, io, path::PathBuf, sync::Arc, time::SystemTime};

use bytes::Bytes;
use observe_wire::journal::{Dead, Recovered, each_dead};

use super::{
    parcel::{Content, Order, Parcel},
    spool::Spool,
};
use crate::destination::Progress;

/// Where it lies, and how requests are made of it.
#[derive(Clone)]
pub(crate) struct Left {
    /// Where processes keep their journals.
    pub(crate) root: PathBuf,
    /// What the destination is called there.
    pub(crate) name: String,
    /// Makes requests of what a process left, in the order in which they are to be posted.
    pub(crate) requests: Arc<Requests>,
}

type Requests = dyn Fn(&mut Dead<'_>, &mut Put<'_>) -> io::Result<Recovered> + Send + Sync;

/// Takes a request.
pub(crate) type Put<'a> = dyn FnMut(Body) -> io::Result<()> + 'a;

/// One request.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) url: Arc<str>,
    pub(crate) order: Option<Order>,
    pub(crate) content: Content,
    pub(crate) bytes: Bytes,
    pub(crate) spans: u64,
}

impl fmt::Debug for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Left").field("root", &self.root).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Left {
    /// Puts it all into the spool; gives what to say of it. A journal is struck off once all of it is on disk, so that
    /// only a process which is killed meanwhile has some of it sent twice.
    ///
    /// # Errors
    /// What could not be recovered, and why; the rest was.
    pub(super) fn put_in(&self, spool: &mut Spool, progress: &Progress) -> Result<Option<String>, String> {
        let mut put = |Body { url, order, content, bytes: body, spans }| {
            let parcel = Parcel { url, order, body, content, spans, keys: Vec::new(), account: None };
            let lost = spool.put(&parcel, SystemTime::now())?;
            progress.update(|counts| counts.dropped += lost);
            io::Result::Ok(())
        };
        let recovered = each_dead(&self.root, &self.name, |dead| (self.requests)(dead, &mut put));
        match recovered {
            Ok(recovered) if recovered.spans > 0 => Ok(Some(format!(
                "{} spans of a process that was killed are sent now, {} of them interrupted",
                recovered.spans, recovered.interrupted
            ))),
            Ok(_) => Ok(None),
            Err(error) => Err(format!("what a killed process recorded could not be recovered: {error}")),
        }
    }
}
