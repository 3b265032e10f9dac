//! One request, and whom to tell what became of its spans.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use observe_model::TraceId;
use observe_wire::{platform::Key, split};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::destination::{Delivered, Hold, Progress};

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Content {
    /// OTLP in protobuf.
    Protobuf,
    /// OTLP in JSON.
    OtlpJson,
    /// JSON of a platform's own, which cannot be divided.
    Json,
    /// Scores and metrics in a platform's own JSON, one of them or a list; posted after the spans that came before them, which
    /// they may be about.
    Records,
}

impl Content {
    /// The request's `Content-Type`.
    pub(crate) fn mime(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::OtlpJson | Self::Json | Self::Records => "application/json",
        }
    }
}

/// A place among the requests of one trace, which are posted one after the other, in the order in which they came; those
/// that wait on disk before any newer one. One that is refused does not keep the next from being posted, but for the
/// answer 404, which ends the trace: nothing more of it is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) trace: TraceId,
    /// The answer says what the receiver calls the trace: an object with its `id`, or `trace_id`. That takes the place of
    /// [`Order::NAME`] in the addresses of later requests. Until it is known, our own id does.
    pub(crate) names: bool,
}

impl Order {
    /// Stands in the address for what the receiver calls the trace.
    pub(crate) const NAME: &str = "{trace}";

    /// A request that names nothing.
    pub(crate) fn of(trace: TraceId) -> Self {
        Self { trace, names: false }
    }

    /// What an answer calls the trace, if it is another name than ours.
    pub(super) fn name_in(self, answer: &[u8]) -> Option<Arc<str>> {
        #[derive(Deserialize)]
        struct Named {
            id: Option<String>,
            trace_id: Option<String>,
        }
        let named: Named = serde_json::from_slice(answer).ok().filter(|_| self.names)?;
        let name = named.id.or(named.trace_id)?;
        // It becomes a part of a path.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        let is_name = !name.is_empty() && name.chars().all(is_plain) && name.chars().any(|c| c != '.');
        (is_name && name != self.trace.to_string()).then(|| name.into())
    }
}

/// A request that is to be posted.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    /// Where it goes.
    pub(crate) url: Arc<str>,
    /// `None` for one that has nothing to do with others.
    pub(crate) order: Option<Order>,
    /// What it holds, not compressed.
    pub(crate) body: Bytes,
    pub(crate) content: Content,
    /// Spans in the body; 0 for a request that only accompanies others.
    pub(crate) spans: u64,
    /// What is noted of its trace when it is gone.
    pub(crate) keys: Vec<Key>,
    /// `None` for what an earlier process accepted and left on disk.
    pub(crate) account: Option<Arc<Account>>,
}

impl Parcel {
    /// A request whose `spans` are accepted by `progress` now, and whose bytes `memory` counts.
    pub(crate) fn new(
        url: Arc<str>,
        order: Option<Order>,
        content: Content,
        body: Bytes,
        spans: u64,
        progress: &Arc<Progress>,
        memory: &Arc<AtomicUsize>,
    ) -> Self {
        let (progress, memory) = (Arc::clone(progress), Arc::clone(memory));
        memory.fetch_add(body.len(), Ordering::Relaxed);
        let (part, bytes) = ((spans > 0).then(|| progress.accept(spans)), body.len());
        let tally = Mutex::default();
        let account = Account { progress, part, spans, tally, memory, bytes, _hold: None };
        Self { url, order, body, content, spans, keys: Vec::new(), account: Some(Arc::new(account)) }
    }

    /// The same, with what keeps its spans in the journal until it is gone.
    pub(crate) fn holding(mut self, hold: Option<Hold>) -> Self {
        if let Some(account) = self.account.as_mut().and_then(Arc::get_mut) {
            account._hold = hold;
        }
        self
    }

    /// The same, where the receiver calls the trace `name`.
    pub(super) fn named(&self, name: &str) -> Parcel {
        Parcel { url: self.url.replace(Order::NAME, name).into(), ..self.clone() }
    }

    /// Whether its address depends on what the receiver calls its trace.
    pub(super) fn needs_name(&self) -> bool {
        self.order.is_some() && self.url.contains(Order::NAME)
    }

    /// Two parcels with half of the spans each; `None` if it holds one span, or cannot be divided.
    pub(crate) fn halves(&self) -> Option<[Parcel; 2]> {
        let half = |(body, spans): (Vec<u8>, u64)| Parcel { body: Bytes::from(body), spans, ..self.clone() };
        let divide = match self.content {
            Content::Protobuf => split::protobuf,
            Content::OtlpJson => split::json,
            Content::Records => divide_list,
            Content::Json => return None,
        };
        divide(&self.body).map(|halves| halves.map(half))
    }

    /// Counts what became of its spans.
    pub(crate) fn settle(&self, count: impl FnOnce(&mut Tally)) {
        if let Some(account) = &self.account {
            count(&mut account.tally.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// The halves of a JSON array, or of an object that holds nothing but one, with the number of items in each.
fn divide_list(body: &[u8]) -> Option<[(Vec<u8>, u64); 2]> {
    let (name, mut first) = match serde_json::from_slice(body).ok()? {
        Value::Array(items) => (None, items),
        Value::Object(fields) if fields.len() == 1 => match fields.into_iter().next()? {
            (name, Value::Array(items)) => (Some(name), items),
            _ => return None,
        },
        _ => return None,
    };
    let second = first.split_off(first.len() / 2);
    let half = |items: Vec<Value>| {
        let count = items.len() as u64;
        let items = Value::Array(items);
        let body = match &name {
            Some(name) => Value::Object([(name.clone(), items)].into_iter().collect()),
            None => items,
        };
        (body.to_string().into_bytes(), count)
    };
    (!first.is_empty()).then(|| [half(first), half(second)])
}

/// What became of spans that were accepted together.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) failed: u64,
    pub(crate) spooled: u64,
    pub(crate) error: Option<String>,
}

/// What was accepted together, be it divided afterwards: told to those who wait when the last part of it is gone.
#[derive(Debug)]
pub(crate) struct Account {
    progress: Arc<Progress>,
    /// What [`Progress::accept`] named it; `None` where there are no spans.
    part: Option<u64>,
    spans: u64,
    tally: Mutex<Tally>,
    /// Bytes in memory of all that was accepted and is not gone.
    memory: Arc<AtomicUsize>,
    bytes: usize,
    _hold: Option<Hold>,
}

impl Drop for Account {
    fn drop(&mut self) {
        self.memory.fetch_sub(self.bytes, Ordering::Relaxed);
        let tally = std::mem::take(self.tally.get_mut().unwrap_or_else(PoisonError::into_inner));
        // What nobody counted was let go of on the way: nothing was there to send it with.
        let uncounted = self.spans.saturating_sub(tally.sent + tally.failed + tally.spooled);
        let count = |counts: &mut Delivered| {
            counts.sent += tally.sent;
            counts.failed += tally.failed + uncounted;
            counts.spooled += tally.spooled;
            if tally.error.is_some() {
                counts.error = tally.error;
            }
        };
        match self.part {
            Some(part) => self.progress.settle(part, count),
            None => self.progress.update(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_go_of_unsent_is_counted_as_failed() {
        let (progress, memory) = (Arc::<Progress>::default(), Arc::<AtomicUsize>::default());
        let parcel = |spans| {
            Parcel::new("http://x".into(), None, Content::Json, vec![0; 9].into(), spans, &progress, &memory)
        };
        drop(parcel(3));
        let partly = parcel(5);
        partly.settle(|tally| tally.sent += 4);
        assert_eq!(memory.load(Ordering::Relaxed), 9);
        drop(partly);
        let counts = progress.get();
        assert_eq!((counts.accepted, counts.sent, counts.failed, counts.pending()), (8, 4, 4, 0));
        assert_eq!(memory.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_request_without_spans_does_not_stand_in_for_the_next_one() {
        let (progress, memory) = (Arc::<Progress>::default(), Arc::<AtomicUsize>::default());
        let [first, second] = [0, 1].map(|spans| {
            Parcel::new("http://x".into(), None, Content::Json, vec![0].into(), spans, &progress, &memory)
        });
        drop(first);
        assert_eq!((progress.settled(), progress.get().pending()), (0, 1));
        drop(second);
        assert_eq!((progress.settled(), progress.get().pending()), (1, 0));
    }

    #[test]
    fn a_name_is_taken_from_an_answer_if_it_can_stand_in_a_path() {
        let order = Order { trace: TraceId::from_seed("t"), names: true };
        let name = |answer: &str| order.name_in(answer.as_bytes());
        assert_eq!(name(r#"{"id":"srv-0001","status":"in_progress"}"#).as_deref(), Some("srv-0001"));
        assert_eq!(name(r#"{"id":null,"trace_id":"a.b_c~1"}"#).as_deref(), Some("a.b_c~1"));
        let ours = format!(r#"{{"id":"{}"}}"#, order.trace);
        for answer in
            ["{}", "", "[]", r#"{"id":7}"#, r#"{"id":""}"#, r#"{"id":"../x"}"#, r#"{"id":".."}"#, &ours]
        {
            assert_eq!(name(answer), None, "{answer}");
        }
        assert_eq!(Order::of(order.trace).name_in(br#"{"id":"srv-0001"}"#), None);
    }
}
