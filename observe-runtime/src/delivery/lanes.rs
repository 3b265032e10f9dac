//! Requests of one trace, posted one after the other, and what the receiver said of the trace.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use observe_model::TraceId;

/// Traces of which it is remembered what the receiver said.
const REMEMBERED: usize = 4096;

/// What a receiver said of a trace.
#[derive(Debug, Clone)]
enum Said {
    /// It calls it by another name than ours.
    Name(Arc<str>),
    /// It knows no such trace.
    Unknown,
}

/// One lane for each trace: its first request is on the way, the others wait behind it.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    behind: HashMap<TraceId, VecDeque<T>>,
    said: HashMap<TraceId, Said>,
    /// The traces in `said`, oldest first.
    order: VecDeque<TraceId>,
}

impl<T> Lanes<T> {
    pub(super) fn new() -> Self {
        Self { behind: HashMap::new(), said: HashMap::new(), order: VecDeque::new() }
    }

    /// Puts a request behind the others of its trace; gives it back if there is none, and its turn has come.
    pub(super) fn enter(&mut self, trace: TraceId, request: T) -> Option<T> {
        match self.behind.get_mut(&trace) {
            Some(behind) => {
                behind.push_back(request);
                None
            }
            None => {
                self.behind.insert(trace, VecDeque::new());
                Some(request)
            }
        }
    }

    /// Whether a request of the trace is on the way.
    pub(super) fn is_busy(&self, trace: TraceId) -> bool {
        self.behind.contains_key(&trace)
    }

    /// The first request of the trace is gone; gives the one whose turn has come.
    pub(super) fn leave(&mut self, trace: TraceId) -> Option<T> {
        let next = self.behind.get_mut(&trace)?.pop_front();
        if next.is_none() {
            self.behind.remove(&trace);
        }
        next
    }

    /// The receiver calls the trace `name`.
    pub(super) fn set_name(&mut self, trace: TraceId, name: Arc<str>) {
        self.remember(trace, Said::Name(name));
    }

    /// The receiver knows no such trace: nothing more is to be posted of it.
    pub(super) fn end(&mut self, trace: TraceId) {
        self.remember(trace, Said::Unknown);
    }

    pub(super) fn has_ended(&self, trace: TraceId) -> bool {
        matches!(self.said.get(&trace), Some(Said::Unknown))
    }

    /// What the receiver calls the trace, if it is not our id.
    pub(super) fn name(&self, trace: TraceId) -> Option<Arc<str>> {
        match self.said.get(&trace)? {
            Said::Name(name) => Some(Arc::clone(name)),
            Said::Unknown => None,
        }
    }

    fn remember(&mut self, trace: TraceId, said: Said) {
        if self.said.insert(trace, said).is_none() {
            self.order.push_back(trace);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.said.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trace_has_a_lane_of_its_own() {
        let [a, b] = ["a", "b"].map(TraceId::from_seed);
        let mut lanes = Lanes::new();
        assert_eq!((lanes.enter(a, 1), lanes.enter(a, 2), lanes.enter(b, 3)), (Some(1), None, Some(3)));
        assert!(lanes.is_busy(a) && !lanes.is_busy(TraceId::from_seed("c")));
        assert_eq!((lanes.leave(a), lanes.leave(a), lanes.leave(a)), (Some(2), None, None));
        assert_eq!((lanes.enter(a, 4), lanes.enter(b, 5)), (Some(4), None));
    }

    #[test]
    fn what_is_said_of_traces_is_not_remembered_without_end() {
        let mut lanes = Lanes::<()>::new();
        let traces: Vec<_> = (0..=REMEMBERED).map(|n| TraceId::from_seed(n.to_string())).collect();
        traces.iter().for_each(|trace| lanes.end(*trace));
        assert!(!lanes.has_ended(traces[0]) && lanes.has_ended(traces[1]));
        lanes.set_name(traces[1], "srv-1".into());
        assert_eq!((lanes.name(traces[1]).as_deref(), lanes.name(traces[2])), (Some("srv-1"), None));
    }
}
