//! Scores and metrics on their way to where a platform takes them.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use observe_model::{Record, Resource, TraceId};

use crate::destination::Hold;

/// A record in a platform's words, and where behind the common address it goes; `None` if the platform has no place for it.
type Put = fn(&Record, &Resource) -> Option<(String, Vec<u8>)>;

/// How a platform takes scores and metrics.
#[derive(Debug, Clone)]
pub(in crate::destination) struct Records {
    /// What the addresses begin with.
    pub(in crate::destination) base: String,
    /// Writes them.
    pub(in crate::destination) put: Put,
    /// What stands around those of one request, and how many they may be.
    pub(in crate::destination) around: (&'static str, &'static str),
    pub(in crate::destination) most: usize,
    /// How long one waits for its trace to end, without which the platform may not know what it is about.
    pub(in crate::destination) patience: Duration,
}

/// Records that may wait for the ends of their traces; the oldest go when there are more.
const HELD: usize = 4096;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<Held>);

#[derive(Debug)]
struct Held {
    address: String,
    body: Vec<u8>,
    /// The trace that it waits for.
    trace: Option<TraceId>,
    /// Nothing of the trace was under way at the last look.
    was_at_rest: bool,
    since: Instant,
    hold: Option<Hold>,
}

/// A request that is to be posted.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) url: String,
    pub(super) body: Vec<u8>,
    pub(super) records: usize,
    /// Of the first of them.
    pub(super) hold: Option<Hold>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a record about `trace` in the platform's words.
    pub(super) fn put(
        &mut self,
        trace: Option<TraceId>,
        (address, body): (String, Vec<u8>),
        hold: Option<Hold>,
    ) {
        self.0.push(Held { address, body, trace, was_at_rest: false, since: Instant::now(), hold });
    }

    /// Keeps nothing in the journal any more. Whether it did.
    pub(super) fn let_go(&mut self) -> bool {
        self.0.iter_mut().filter_map(|held| held.hold.take()).count() > 0
    }

    /// Of a trace that is not among the open ones twice in a row there is nothing more to come.
    pub(super) fn settle(&mut self, open: &HashSet<TraceId>) {
        for held in &mut self.0 {
            let is_at_rest = held.trace.is_none_or(|trace| !open.contains(&trace));
            if is_at_rest && held.was_at_rest {
                held.trace = None;
            }
            held.was_at_rest = is_at_rest;
        }
    }

    /// The requests for those that wait for nothing any more, or for `all`.
    pub(super) fn take(&mut self, records: &Records, all: bool) -> Vec<Request> {
        let mut over = self.0.len().saturating_sub(HELD);
        let is_ready = |held: &mut Held| {
            let is_over = over > 0;
            over = over.saturating_sub(1);
            all || is_over || held.trace.is_none() || held.since.elapsed() >= records.patience
        };
        let mut requests: Vec<Request> = Vec::new();
        let (before, behind) = records.around;
        for Held { address, body, hold, .. } in self.0.extract_if(.., is_ready) {
            let url = format!("{}{address}", records.base);
            match requests.iter_mut().rfind(|request| request.url == url) {
                Some(request) if request.records < records.most => {
                    request.body.push(b',');
                    request.body.extend_from_slice(&body);
                    request.records += 1;
                    Hold::join(&mut request.hold, hold);
                }
                _ => {
                    let body = [before.as_bytes(), &body].concat();
                    requests.push(Request { url, body, records: 1, hold });
                }
            }
        }
        requests.iter_mut().for_each(|request| request.body.extend_from_slice(behind.as_bytes()));
        requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(most: usize, patience: Duration) -> Records {
        Records { base: "http://x".into(), put: |_, _| None, around: ("[", "]"), most, patience }
    }

    fn texts(requests: &[Request]) -> Vec<(&str, &str)> {
        requests.iter().map(|r| (r.url.as_str(), str::from_utf8(&r.body).unwrap())).collect()
    }

    #[test]
    fn those_of_one_address_go_together_as_many_as_may() {
        let mut waiting = Waiting::default();
        for (address, body) in [("/a", "1"), ("/b", "2"), ("/a", "3"), ("/a", "4")] {
            waiting.put(None, (address.to_owned(), body.into()), None);
        }
        let requests = waiting.take(&records(2, Duration::MAX), false);
        assert_eq!(texts(&requests), [("http://x/a", "[1,3]"), ("http://x/b", "[2]"), ("http://x/a", "[4]")]);
        assert_eq!(requests.iter().map(|request| request.records).collect::<Vec<_>>(), [2, 1, 1]);
        assert!(waiting.is_empty());
    }

    #[test]
    fn one_waits_until_its_trace_has_ended_or_for_as_long_as_the_platform_needs() {
        let (trace, other) = (TraceId::from_seed("a"), TraceId::from_seed("b"));
        let mut waiting = Waiting::default();
        let put = |waiting: &mut Waiting| waiting.put(Some(trace), (String::new(), b"1".into()), None);
        let patient = records(9, Duration::MAX);
        put(&mut waiting);
        let open = HashSet::from([trace, other]);
        let at_rest = HashSet::from([other]);
        for look in [&open, &at_rest, &open, &at_rest] {
            waiting.settle(look);
            assert!(waiting.take(&patient, false).is_empty());
        }
        waiting.settle(&at_rest);
        assert_eq!(waiting.take(&patient, false).len(), 1);
        put(&mut waiting);
        assert_eq!(waiting.take(&records(9, Duration::ZERO), false).len(), 1);
        put(&mut waiting);
        assert_eq!(waiting.take(&patient, true).len(), 1);
    }

    #[test]
    fn no_more_than_so_many_wait() {
        let mut waiting = Waiting::default();
        for n in 0..=HELD {
            waiting.put(Some(TraceId::from_seed("a")), (String::new(), n.to_string().into()), None);
        }
        assert_eq!(texts(&waiting.take(&records(9, Duration::MAX), false)), [("http://x", "[0]")]);
        assert_eq!(waiting.0.len(), HELD);
    }
}
