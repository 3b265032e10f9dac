//! Several destinations at once: what one does to itself, the others do not feel.

use std::{sync::Arc, time::Duration};

use observe::{
    Span,
    destination::{Destination, Memory, Progress},
    observe,
};

#[observe]
fn work(number: u32) -> u32 {
    number
}

/// Panics at the third span.
#[derive(Default)]
struct Fragile {
    seen: u32,
    progress: Arc<Progress>,
}

impl Destination for Fragile {
    fn name(&self) -> &str {
        "fragile"
    }
    fn record(&mut self, _span: &Span<'_>) {
        self.seen += 1;
        assert!(self.seen < 3, "it breaks");
        self.progress.update(|counts| {
            counts.accepted += 1;
            counts.sent += 1;
        });
    }
    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

#[test]
fn a_destination_that_panics_is_switched_off_and_the_others_get_every_span_once() {
    let (before, after) = (Memory::new(), Memory::new());
    let builder = observe::builder().destination(before.clone()).destination(Fragile::default());
    let _observe = builder.destination(after.clone()).init();
    assert_eq!((0..10).map(work).sum::<u32>(), 45);
    let report = observe::flush(Duration::from_secs(60));
    let left: Vec<_> = report.destinations.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((report.complete, left), (true, vec!["memory", "memory"]));
    for memory in [before, after] {
        let spans = memory.spans();
        let ids: std::collections::BTreeSet<_> = spans.iter().map(|span| span.span_id).collect();
        assert_eq!((spans.len(), ids.len()), (10, 10));
    }
}
