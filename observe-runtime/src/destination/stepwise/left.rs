//! What processes that were killed had not told: made posts of, trace by trace, with what they had told left out.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
};

use observe_model::{Record, Resource, Status, Target, TraceId};
use observe_wire::{
    journal::{Batch, Dead, Recovered},
    platform::Key,
};

use super::{
    LIMIT, Platform,
    held::{Held, INTERRUPTED, Step, size},
};
use crate::{
    delivery::{Body, Content, Order, Put},
    mask,
};

/// The traces that are told together: as many as are held otherwise, and then the rest of them.
#[derive(Default)]
struct Gathered {
    resource: Resource,
    traces: HashMap<TraceId, Held>,
    /// In the order in which they began.
    order: Vec<TraceId>,
    bytes: usize,
    /// There are others.
    is_part: bool,
}

impl Gathered {
    /// The traces that are not `told`.
    fn read(dead: &mut Dead<'_>, told: &HashSet<TraceId>) -> io::Result<(Self, Recovered)> {
        let mut gathered = Self::default();
        let recovered = mask::read(dead, |resource, batch| {
            gathered.resource.clone_from(resource);
            gathered.take(batch, told);
            Ok(())
        })?;
        Ok((gathered, recovered))
    }

    fn take(&mut self, batch: Batch, told: &HashSet<TraceId>) {
        for mut span in batch.spans {
            if span.status == Status::Interrupted {
                span.status_message.get_or_insert(INTERRUPTED.into());
            }
            let bytes = size(&span);
            if let Some(held) = self.of(span.trace_id, bytes, told) {
                held.take(span, None);
            }
        }
        for record in batch.records {
            if let Some(trace) = target(&record).trace_id
                && let Some(held) = self.of(trace, size_of::<Record>(), told)
            {
                held.record(record, None);
            }
        }
    }

    /// The trace to which so many bytes are added, if it is one of these.
    fn of(&mut self, trace: TraceId, bytes: usize, told: &HashSet<TraceId>) -> Option<&mut Held> {
        if !self.traces.contains_key(&trace) {
            if told.contains(&trace) {
                return None;
            }
            if self.bytes > LIMIT {
                self.is_part = true;
                return None;
            }
            self.order.push(trace);
        }
        self.bytes += bytes;
        Some(self.traces.entry(trace).or_default())
    }
}

/// What a score or metric is about.
pub(super) fn target(record: &Record) -> &Target {
    match record {
        Record::Score(score) => &score.target,
        Record::Metric(metric) => &metric.target,
    }
}

/// Puts the posts that are left to be made of a dead process's traces, and notes each, so that whoever goes on if this
/// process is killed as well makes no more than one of a trace again.
pub(super) fn tell<P: Platform>(
    platform: &P,
    dead: &mut Dead<'_>,
    put: &mut Put<'_>,
) -> io::Result<Recovered> {
    let (mut told, mut sum) = (HashSet::new(), Recovered::default());
    loop {
        let (mut gathered, recovered) = Gathered::read(dead, &told)?;
        for trace in gathered.order {
            if let Some(held) = gathered.traces.remove(&trace) {
                sum.spans += tell_one(platform, &gathered.resource, dead, trace, held, put)?;
            }
            told.insert(trace);
        }
        if !gathered.is_part {
            let interrupted = recovered.interrupted.min(sum.spans);
            return Ok(Recovered { interrupted, ..sum });
        }
    }
}

/// How many spans and records were told of the trace.
fn tell_one<P: Platform>(
    platform: &P,
    resource: &Resource,
    dead: &mut Dead<'_>,
    trace: TraceId,
    mut held: Held,
    put: &mut Put<'_>,
) -> io::Result<u64> {
    let had_ended = dead.receipts().has(trace, Key::END);
    if had_ended {
        // Its first span, which nothing held but the end of the process, is told with the end.
        held.retain(|span| !dead.receipts().has(trace, Key::span(span)));
    }
    let (id, steps) = match held.tell(trace, true, had_ended, platform, resource) {
        Some(told) => told,
        // Its spans have arrived, and it ended.
        None => {
            let posts =
                held.take_records().into_iter().filter_map(|(record, _)| platform.record(trace, &record));
            (trace, posts.map(Step::of).collect())
        }
    };
    let (mut spans, reach) = (0, platform.reach());
    for Step { post, keys, .. } in steps {
        if dead.receipts().has(id, post.key) {
            continue;
        }
        let order = Order { names: platform.names(&post), ..Order::of(id) };
        let url: Arc<str> = format!("{}{}", reach.address(), post.path).into();
        let url =
            dead.receipts().name(id).map_or(Arc::clone(&url), |name| url.replace(Order::NAME, name).into());
        spans += post.spans;
        put(Body {
            url,
            order: Some(order),
            content: Content::Json,
            bytes: post.body.into(),
            spans: post.spans,
        })?;
        keys.into_iter().try_for_each(|key| dead.note(id, key))?;
    }
    Ok(spans)
}
