//! What becomes of a request when there is an answer, or none: it has arrived, is repeated, divided, put away or refused.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use observe_wire::ExportResponse;
use tokio::time::Instant;

use super::{Landed, Post, REPLAY, REPLAY_IN_ORDER, TRIES, TRIES_WITHOUT_DISK, Waiting, lose};
use crate::delivery::{
    parcel::Content,
    transport::{Lost, Transport},
    verdict::{self, Answer, Verdict},
};

impl<T: Transport> Post<T> {
    /// Acts on an answer.
    pub(super) fn land(&mut self, landed: Landed) {
        let (id, result) = match landed {
            Ok((id, result)) => (id, result),
            // Nothing in a task panics by itself; its request is kept all the same.
            Err(error) => (error.id(), Err(Lost::ForNow(error.to_string()))),
        };
        let Some(request) = self.under_way.remove(&id) else { return };
        let verdict = match &result {
            Ok(answer) => verdict::of(&request.parcel.url, answer, SystemTime::now()),
            Err(Lost::ForNow(error)) => Verdict::Later(error.clone(), None),
            Err(Lost::ForGood(error)) => Verdict::Refused(error.clone()),
        };
        if !matches!(verdict, Verdict::Later(..)) {
            self.pace.succeed();
        }
        if let Some(order) = request.parcel.order
            && result.as_ref().is_ok_and(|answer| answer.status == 404)
        {
            self.lanes.end(order.trace);
        }
        match verdict {
            Verdict::Arrived => self.arrived(request, &result.unwrap_or_default()),
            Verdict::Later(error, after) => {
                self.is_gone = result.is_err();
                self.failed(request, error, after);
            }
            Verdict::Divide(error) => self.divide(request, error),
            Verdict::Refused(error) => self.refuse(request, error),
        }
        if self.waiting.is_empty() && self.under_way.is_empty() {
            self.hurried = false;
        }
    }

    fn arrived(&mut self, request: Waiting, answer: &Answer) {
        let Waiting { parcel, file, .. } = request;
        let response = match parcel.content {
            Content::Protobuf => ExportResponse::decode(&answer.body).unwrap_or_default(),
            Content::OtlpJson => ExportResponse::decode_json(&answer.body).unwrap_or_default(),
            Content::Json | Content::Records => ExportResponse::default(),
        };
        let rejected = response.rejected.min(parcel.spans);
        let arrived = parcel.spans - rejected;
        if rejected > 0 {
            self.say(&format!("{} rejected {rejected} spans: {}", parcel.url, response.message));
        }
        parcel.settle(|tally| {
            tally.sent += arrived;
            tally.failed += rejected;
            if rejected > 0 {
                tally.error = Some(response.message);
            }
        });
        let name = parcel.order.and_then(|order| Some((order.trace, order.name_in(&answer.body)?)));
        if let Some((trace, name)) = &name {
            self.lanes.set_name(*trace, Arc::clone(name));
            self.note_with(|receipts| receipts.note_name(*trace, name));
        }
        self.note(&parcel);
        match (file, &mut self.spool) {
            (Some(file), Some(spool)) => {
                // Before this one is removed: a process that dies in between asks for the name once more.
                name.iter().for_each(|(trace, name)| spool.set_name(*trace, name));
                spool.remove(&file);
                self.replay_at =
                    Instant::now() + if parcel.order.is_some() { REPLAY_IN_ORDER } else { REPLAY };
                self.progress.update(|counts| counts.replayed += arrived);
            }
            _ => self.go_on(&parcel),
        }
    }

    fn failed(&mut self, mut request: Waiting, error: String, after: Option<Duration>) {
        self.say(&error);
        let jitter = crate::ids::span_id().to_int() as f64 / u64::MAX as f64;
        self.pace.fail(Instant::now(), after, jitter);
        // What is on disk stays there.
        if request.file.is_some() {
            return;
        }
        request.attempts += 1;
        let has_disk = self.spool.is_some();
        let gives_up = self.hurried && self.is_gone;
        if gives_up {
            self.put_all_away();
        }
        let tries = if has_disk { TRIES } else { TRIES_WITHOUT_DISK };
        if request.attempts >= tries || (gives_up && has_disk) {
            self.put_away(request, &error);
        } else {
            self.put_back(request);
        }
    }

    /// Sends the halves by themselves, until the span that spoils them is alone.
    fn divide(&mut self, request: Waiting, error: String) {
        let Some([first, second]) = request.parcel.halves() else { return self.refuse(request, error) };
        for half in [second, first] {
            let half = Waiting { number: request.number, parcel: Arc::new(half), attempts: 0, file: None };
            match request.file {
                Some(_) => self.put_away(half, &error),
                None => self.put_back(half),
            }
        }
        if let (Some(file), Some(spool)) = (&request.file, &mut self.spool) {
            spool.remove(file);
        }
    }

    /// Sets aside what will never be taken.
    pub(super) fn refuse(&mut self, request: Waiting, mut error: String) {
        let Waiting { parcel, file, .. } = request;
        if let Some(spool) = &mut self.spool {
            if parcel.spans <= 1
                && let Ok(path) = spool.set_aside(&parcel, SystemTime::now())
            {
                error = format!("{error}; the request is kept in {}", path.display());
            }
            if let Some(file) = &file {
                spool.remove(file);
                self.progress.update(|counts| counts.dropped += parcel.spans);
            }
        }
        self.say(&error);
        self.note(&parcel);
        parcel.settle(|tally| lose(tally, parcel.spans, error));
        if file.is_none() {
            self.go_on(&parcel);
        }
    }
}
