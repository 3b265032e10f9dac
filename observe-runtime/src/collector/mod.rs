//! The one background thread: reads the journal, joins its entries to spans, gives them to the destinations.
//!
//! It looks at what is committed in all chunks, then once more for what was said of spans: by then, what another thread
//! said of a span before it ended is there as well. What the first look found is read to its end, in portions, before
//! there is another.

mod chunks;
mod join;
mod keep;
mod outlets;

pub(crate) use keep::left_out;
pub(crate) use outlets::Outlets;

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use observe_model::{Resource, Timestamp};
use observe_wire::journal::lenient;

use crate::{
    clock::Anchor,
    destination::{Given, Progress},
    journal::pool,
    report::{Once, say},
};
use join::Table;

/// How long the clocks are compared before the first look.
const CALIBRATION: Duration = Duration::from_millis(1);

/// Time between two looks at the journal while the host records.
const TICK: Duration = Duration::from_millis(20);

/// Looks without finding anything before the collector sleeps until it is woken.
const IDLE_AFTER: u32 = 50;

/// The longest sleep: a wake-up that was missed, which can happen because the host's check is a relaxed load, costs
/// this much.
const LONGEST: Duration = Duration::from_millis(500);

/// How long spans are held back at once while a destination catches up, and how many times in a row.
const HOLD: Duration = Duration::from_millis(1);
const HOLDS: u32 = 20;

/// Spans that run longer than this are shown before they end.
const SHOW_AFTER: Duration = Duration::from_secs(1);

/// What the collector can be asked.
pub(crate) enum Ask {
    /// Give everything that was written so far to the destinations, and say whom to wait for.
    Flush(Sender<Vec<Handed>>),
    /// Let go of the destinations, and say when that is done.
    Close(Sender<()>),
}

/// A destination's state when a flush handed everything over.
pub(crate) struct Handed {
    pub(crate) name: String,
    /// Spans it had accepted by then.
    pub(crate) accepted: u64,
    pub(crate) progress: Arc<Progress>,
}

pub(crate) struct Collector {
    asks: Receiver<Ask>,
    table: Table,
    outlets: Outlets,
    anchor: Anchor,
    shown_at: Instant,
    dropped: Once,
    mended: Once,
    /// Times in a row that spans were held back.
    held: u32,
    /// Somebody waits until everything is given out.
    hurried: bool,
}

impl Collector {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub(crate) fn start(
        asks: Receiver<Ask>,
        mut outlets: Outlets,
        resource: Resource,
        anchor: Anchor,
    ) -> std::io::Result<()> {
        let run = move || {
            pool::set_collector(thread::current());
            outlets.each(|d| d.begin(&resource));
            // Long enough to learn the clock's rate, which a journal must hold from early on.
            thread::sleep(CALIBRATION);
            let mut anchor = anchor;
            anchor.update();
            anchor.leave_note();
            let table = Table::default();
            let mut collector = Self {
                asks,
                table,
                outlets,
                anchor,
                shown_at: Instant::now(),
                dropped: Once::new(),
                mended: Once::new(),
                held: 0,
                hurried: false,
            };
            collector.run();
        };
        thread::Builder::new().name("observe".to_owned()).spawn(run).map(drop)
    }

    fn run(&mut self) {
        let mut idle = 0;
        loop {
            let asked = self.answer();
            let busy = self.sweep();
            self.show_running();
            self.report();
            idle = if busy || asked { 0 } else { idle + 1 };
            if self.table.has_due() {
                continue;
            }
            if idle > IDLE_AFTER {
                self.sleep();
                idle = 0;
            } else {
                thread::park_timeout(TICK);
            }
        }
    }

    /// Sleeps until the host writes or asks.
    fn sleep(&mut self) {
        pool::set_asleep(true);
        // What was written just before is found here.
        if !self.sweep() {
            thread::park_timeout(LONGEST);
        }
        pool::set_asleep(false);
    }

    /// Reads a portion of what was written and gives out the spans that ended in it. Whether there was anything.
    fn sweep(&mut self) -> bool {
        self.anchor.update();
        let found = self.table.has_due() || self.table.look();
        if found && !self.must_hold() {
            self.table.read(&self.anchor, &mut self.outlets);
        }
        if !self.table.has_due() {
            self.outlets.settle(|| self.table.open_traces());
        }
        self.outlets.each(|d| d.hand_over(false));
        // Spans stay in the journal until those destinations have them that would find them there again.
        let given = self.outlets.given();
        self.table.retire_chunks(&given);
        self.table.give_back_chunks();
        if !self.outlets.holds_back() {
            self.table.note_arrived(&given);
        }
        pool::provide();
        found
    }

    /// Whether spans are better held back a moment, because a destination has much to do and the journal has room, or
    /// who records waits for it. A destination that hangs holds nothing up for longer than that, where there are others,
    /// or somebody waits.
    fn must_hold(&mut self) -> bool {
        let mut crowded = self.outlets.destinations.iter().map(|d| d.is_crowded());
        let (any, all) = (crowded.clone().any(|is| is), crowded.all(|is| is));
        let is_long = self.held >= HOLDS && (self.hurried || !all);
        if !any || is_long || !(pool::is_roomy() || pool::waits()) {
            self.held = 0;
            return false;
        }
        self.held += 1;
        thread::park_timeout(HOLD);
        true
    }

    fn answer(&mut self) -> bool {
        let mut asked = false;
        while let Ok(ask) = self.asks.try_recv() {
            asked = true;
            // Whoever asked may have given up waiting.
            match ask {
                Ask::Flush(reply) => {
                    self.hurried = true;
                    let _ = reply.send(self.flush());
                    self.hurried = false;
                }
                Ask::Close(reply) => {
                    self.hurried = true;
                    self.close();
                    let _ = reply.send(());
                }
            }
        }
        asked
    }

    /// Ends with everything in its place, where that is so: else the journal stays, for the next start to recover.
    fn close(&mut self) {
        self.sweep();
        self.outlets.give_held();
        self.outlets.each(|d| d.hand_over(true));
        self.report();
        let given = self.outlets.given();
        // Each waits a moment, until what it has is sent or on disk.
        self.outlets.destinations.clear();
        self.table.retire_chunks(&given);
        self.table.give_back_chunks();
        if self.table.is_empty() && given.iter().all(Given::has_settled) {
            pool::remove_directory();
        }
    }

    fn flush(&mut self) -> Vec<Handed> {
        // What was found before does not count: there is to be another look.
        while self.table.has_due() {
            self.sweep();
        }
        self.sweep();
        while self.table.has_due() {
            self.sweep();
        }
        // A trace has ended if there is nothing of it at a second look either.
        self.sweep();
        self.outlets.each(|d| d.hand_over(true));
        let handed = self.outlets.destinations.iter().map(|d| Handed {
            name: d.name().to_owned(),
            accepted: d.progress().get().accepted,
            progress: Arc::clone(d.progress()),
        });
        handed.collect()
    }

    /// Shows spans that have run for a while to the destinations that can show them.
    fn show_running(&mut self) {
        if self.shown_at.elapsed() < SHOW_AFTER
            || !self.outlets.destinations.iter().any(|d| d.wants_running())
        {
            return;
        }
        self.shown_at = Instant::now();
        let now = Timestamp::now();
        let outlets = &mut self.outlets;
        self.table.give_running(&self.anchor, now, SHOW_AFTER, |span| outlets.show(span, now));
        self.outlets.each(|d| d.hand_over(false));
    }

    fn report(&mut self) {
        // A destination on the same disk will fail too, and says more; until it has written something, it may.
        let counts = self.outlets.counts_of_kept();
        if counts.iter().any(|c| c.sent + c.failed + c.spooled > 0)
            && let Some(problem) = pool::take_problem()
            && counts.iter().all(|c| c.failed == 0)
        {
            say(&problem);
        }
        if lenient::has_mended() {
            self.mended
                .say("JSON held half of a surrogate pair, which is no character: U+FFFD is kept instead");
        }
        if pool::dropped() > 0 {
            self.dropped
                .say("the journal is full: spans are dropped; the report of observe::flush() counts them");
        }
    }
}
