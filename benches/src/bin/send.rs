//! `send CASE SPANS RATE`: so many spans, a hundred to a trace, at so many a second (0: as fast as it can), then waits
//! until the tracer has sent them. Prints what it took.
#![forbid(unsafe_code)]

use std::{
    env, fs,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use observe_benches::{
    cases::{Functions, Root, Tracer, Visit, with},
    clock, shapes,
};

const PER_TRACE: u64 = 100;

struct Send {
    spans: u64,
    rate: u64,
}

impl Send {
    fn make<F: Functions, R: Root>(&self) {
        let start = Instant::now();
        for trace in 1..=self.spans / PER_TRACE {
            shapes::children::<F, R>(PER_TRACE - 1);
            let due = (trace * PER_TRACE * 1_000_000).checked_div(self.rate).map(Duration::from_micros);
            if let Some(early) = due.and_then(|due| due.checked_sub(start.elapsed())) {
                thread::sleep(early);
            }
        }
    }
}

impl Visit for Send {
    type Result = String;

    fn visit<F: Functions, R: Root>(self, tracer: &Tracer) -> String {
        let (begun, host, process) = (Instant::now(), clock::thread(), clock::process());
        R::around(|| self.make::<F, R>());
        let (made, host) = (begun.elapsed(), clock::thread() - host);
        let tally = tracer.flush();
        let (wall, process) = (begun.elapsed(), clock::process() - process);
        let per_span = |time: Duration| time.as_nanos() as f64 / self.spans as f64;
        format!(
            r#"{{"made_s": {}, "wall_s": {}, "host_ns": {}, "process_ns": {}, "peak_kb": {}, "dropped": {}, "on_disk": {}}}"#,
            made.as_secs_f64(),
            wall.as_secs_f64(),
            per_span(host),
            per_span(process),
            peak(),
            tally.dropped,
            tally.on_disk,
        )
    }
}

/// The most memory that the process has had, in kB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    let numbers: Vec<u64> = args.iter().skip(2).filter_map(|text| text.parse().ok()).collect();
    let ([_, case, _, _], [spans, rate]) = (args.as_slice(), numbers.as_slice()) else {
        eprintln!("usage: send CASE SPANS RATE");
        return ExitCode::FAILURE;
    };
    match with(case, Send { spans: *spans, rate: *rate }) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
