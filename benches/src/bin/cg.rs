//! `cg CASE sync|async ROOTS`: roots with a thousand children each, and nothing else. Run under callgrind at two
//! numbers of roots, the difference is what the spans cost without the start of the process.
#![forbid(unsafe_code)]

use std::{env, io, process::ExitCode};

use observe_benches::{
    cases::{Functions, Root, Tally, Tracer, Visit, with},
    shapes,
};

const CHILDREN: u64 = 1000;

/// Callgrind counts from here. What is linked may do as it likes before: fastrace's clock spins for a while.
#[inline(never)]
fn begin() {
    std::hint::black_box(());
}

struct Run {
    asynchronous: bool,
    roots: u64,
}

impl Visit for Run {
    type Result = io::Result<Tally>;

    fn visit<F: Functions, R: Root>(self, tracer: &Tracer) -> io::Result<Tally> {
        begin();
        let block = (tracer.room / CHILDREN).max(1);
        let blocks = self.roots.div_ceil(block);
        if self.asynchronous {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            for _ in 0..blocks {
                runtime.block_on(R::around_async(async {
                    for _ in 0..block {
                        shapes::children_async::<F, R>(CHILDREN).await;
                    }
                }));
                tracer.flush();
            }
        } else {
            for _ in 0..blocks {
                R::around(|| {
                    for _ in 0..block {
                        shapes::children::<F, R>(CHILDREN);
                    }
                });
                tracer.flush();
            }
        }
        Ok(tracer.flush())
    }
}

fn run(case: &str, kind: &str, roots: &str) -> Result<Tally, String> {
    let roots = roots.parse().map_err(|error| format!("{roots} roots: {error}"))?;
    with(case, Run { asynchronous: kind == "async", roots })?.map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    let [_, case, kind, roots] = args.as_slice() else {
        eprintln!("usage: cg CASE sync|async ROOTS");
        return ExitCode::FAILURE;
    };
    match run(case, kind, roots) {
        Ok(Tally { arrived, dropped, .. }) => {
            println!("{{\"arrived\": {arrived}, \"dropped\": {dropped}}}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
