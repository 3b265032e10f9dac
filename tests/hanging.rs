//! Several destinations at once, of which one takes connections and never answers.

#[path = "support/recorder.rs"]
mod recorder;

use std::time::Duration;

use observe::{
    destination::{Memory, Otlp, OtlpSettings, Phoenix},
    observe,
};
use recorder::Recorder;

#[observe]
fn work(number: u32) -> u32 {
    number
}

#[test]
fn a_destination_that_hangs_holds_up_neither_the_others_nor_the_host() {
    let (hanging, well) = (Recorder::start(), Recorder::start());
    let held = hanging.hold();
    let memory = Memory::new();
    let _observe = observe::builder()
        .destination(Otlp::new(OtlpSettings::new(hanging.at("/v1/traces"))))
        .destination(Otlp::new(Phoenix::new(well.url())))
        .destination(memory.clone())
        .init();
    // Many more than what is under way at once: what follows a request that hangs waits in memory, and nobody waits for it.
    let mut report = observe::flush(Duration::ZERO);
    for round in 1..=20 {
        assert_eq!((0..500).map(work).sum::<u32>(), 124_750);
        // A flush waits for the one that hangs until its time is over; by then the others have everything.
        while report.destinations.iter().skip(1).map(|(_, counts)| counts.sent).min() < Some(round * 500) {
            report = observe::flush(Duration::from_millis(1));
        }
    }
    let sent = |index: usize| (report.destinations[index].1.sent, report.destinations[index].1.failed);
    assert_eq!((sent(1), sent(2)), ((10_000, 0), (10_000, 0)));
    assert_eq!((sent(0), report.dropped, report.complete), ((0, 0), 0, false));
    assert_eq!((well.spans().len(), memory.spans().len()), (10_000, 10_000));
    // And once it answers it gets all of it.
    drop(held);
    let report = observe::flush(Duration::from_secs(30));
    assert_eq!((report.destinations[0].1.sent, report.complete), (10_000, true));
    assert_eq!(hanging.spans().len(), 10_000);
}
