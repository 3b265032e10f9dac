//! What processes that were killed had recorded and not sent: made requests of, which wait on disk for their turn.

use std::{io, path::PathBuf, sync::Arc, time::SystemTime};

use bytes::Bytes;
use observe_model::Resource;
use observe_wire::journal::{Batch, recover_dead};

use super::{
    parcel::{Content, Parcel},
    spool::Spool,
};
use crate::destination::Progress;

/// Where it lies, and how requests are made of it.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    /// Where processes keep their journals.
    pub(crate) root: PathBuf,
    /// What the destination is called there.
    pub(crate) name: String,
    /// Where the requests go.
    pub(crate) url: Arc<str>,
    pub(crate) content: Content,
    /// Makes a body.
    pub(crate) encode: fn(&Resource, &Batch) -> Vec<u8>,
}

impl Left {
    /// Puts it all into the spool; gives what to say of it. A journal is struck off once all of it is on disk, so that
    /// only a process which is killed meanwhile has some of it sent twice.
    ///
    /// # Errors
    /// What could not be recovered, and why; the rest was.
    pub(super) fn put_in(&self, spool: &mut Spool, progress: &Progress) -> Result<Option<String>, String> {
        let recovered = recover_dead(&self.root, &self.name, |resource, batch| {
            let spans = (batch.spans.len() + batch.records.len()) as u64;
            let body = Bytes::from((self.encode)(resource, &batch));
            let (url, content) = (Arc::clone(&self.url), self.content);
            let parcel = Parcel { url, order: None, body, content, spans, account: None };
            let lost = spool.put(&parcel, SystemTime::now())?;
            progress.update(|counts| counts.dropped += lost);
            io::Result::Ok(())
        });
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
