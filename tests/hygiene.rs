//! `#[observe]` among names that look like its own or shadow those it uses.

mod support;

use std::panic::Location;

use observe::{TraceId, observe};
use support::{id, input, named, output, trace};

/// Everything that a macro might name is something else here.
mod shadowed {
    #![allow(dead_code, non_camel_case_types, non_upper_case_globals, unused_macros)]
    #![no_implicit_prelude]

    mod std {}
    mod core {}
    mod observe {}
    struct Option;
    struct Result;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct String;
    struct Vec;
    struct Box;
    struct Send;
    struct u8;
    struct bool;
    struct str;
    const CALL: () = ();
    const call: () = ();
    const start: () = ();
    const slot: () = ();
    const value: () = ();
    const body: () = ();
    const site: () = ();
    const error: () = ();
    const result: () = ();
    static __OBSERVE_SITE: () = ();
    static __OBSERVE_KEY: () = ();

    macro_rules! format {
        ($($any:tt)*) => {
            ::std::compile_error!("format")
        };
    }
    macro_rules! concat {
        ($($any:tt)*) => {
            ::std::compile_error!("concat")
        };
    }
    macro_rules! module_path {
        ($($any:tt)*) => {
            ::std::compile_error!("module_path")
        };
    }
    macro_rules! file {
        ($($any:tt)*) => {
            ::std::compile_error!("file")
        };
    }
    macro_rules! line {
        ($($any:tt)*) => {
            ::std::compile_error!("line")
        };
    }
    macro_rules! pin {
        ($($any:tt)*) => {
            ::std::compile_error!("pin")
        };
    }

    #[::observe::observe(trace_id = trace, skip(trace))]
    pub(super) fn plain(
        trace: ::observe::TraceId,
        n: i32,
    ) -> ::std::result::Result<i32, &'static ::std::primitive::str> {
        if n < 0 {
            return ::std::result::Result::Err("negative");
        }
        ::std::result::Result::Ok(n)
    }

    #[::observe::observe(trace_id = trace, name = "later", metadata = { k: n }, tags = [n], input = n, output = |r| *r)]
    pub(super) async fn later(trace: ::observe::TraceId, n: i32) -> ::std::option::Option<i32> {
        ::std::option::Option::Some(n)
    }
}

#[test]
fn what_shadows_the_names_that_the_attribute_uses_does_not_matter() {
    let trace_id = id("shadowed");
    assert_eq!(shadowed::plain(trace_id, 1), Ok(1));
    let mut later = std::pin::pin!(shadowed::later(trace_id, 2));
    let waker = std::task::Waker::noop();
    assert!(later.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_ready());
    let spans = trace(trace_id);
    assert_eq!(output(named(&spans, "plain")), 1);
    assert_eq!(input(named(&spans, "later")), 2);
}

const __OBSERVE_SITE: u8 = 1;
const __OBSERVE_KEY: u8 = 2;

/// Its arguments have the names of the macro's variables, and its body those of the macro's statics.
#[observe(trace_id = trace, skip(trace), name = "namesakes", metadata = { sum: __observe_call + __observe_slot })]
#[allow(clippy::too_many_arguments)]
fn namesakes(
    trace: TraceId,
    __observe_call: u8,
    __observe_start: u8,
    __observe_body: u8,
    __observe_return: u8,
    __observe_value: u8,
    __observe_slot: u8,
    __observe_error: u8,
) -> Result<u8, u8> {
    let sum = __observe_call + __observe_start + __observe_body + __observe_return + __observe_value;
    Ok(sum + __observe_slot + __observe_error + __OBSERVE_SITE + __OBSERVE_KEY)
}

#[test]
fn arguments_may_have_the_names_of_the_macros_variables() {
    let trace_id = id("namesakes");
    assert_eq!(namesakes(trace_id, 1, 2, 3, 4, 5, 6, 7), Ok(31));
    let spans = trace(trace_id);
    let span = named(&spans, "namesakes");
    assert_eq!(input(span)["__observe_error"], 7);
    assert_eq!(span.metadata["sum"], 7);
}

#[observe]
#[track_caller]
fn whoami() -> &'static Location<'static> {
    Location::caller()
}

struct Tracked;

impl Tracked {
    #[track_caller]
    #[observe]
    fn unwraps(&self, n: Option<u8>) -> u8 {
        n.expect("a number")
    }
}

/// Leaves by every way there is.
#[observe]
#[track_caller]
fn leaves(way: Option<u8>) -> Option<&'static Location<'static>> {
    if way == Some(0) {
        return Some(Location::caller());
    }
    let asked = way.map(|_| Location::caller());
    if way? == 1 {
        return asked.and(Some(Location::caller()));
    }
    Some(Location::caller())
}

#[observe]
#[cfg_attr(all(), track_caller)]
fn leaves_if_it_may<T: Copy + Into<u8>>(n: T) -> Result<&'static Location<'static>, T> {
    let _ = u8::checked_sub(n.into(), 1).ok_or(n)?;
    Ok(Location::caller())
}

#[observe]
impl std::ops::Index<u8> for Tracked {
    type Output = u8;

    // The trait's own declaration says `#[track_caller]`.
    fn index(&self, at: u8) -> &u8 {
        if at == 0 {
            return &1;
        }
        [0u8; 0].get(usize::from(at)).expect("an item")
    }
}

#[observe]
mod tracked {
    use std::panic::Location;

    #[track_caller]
    pub(super) fn hidden(n: u8) -> impl Iterator<Item = &'static Location<'static>> {
        if n == 0 {
            return vec![Location::caller()].into_iter();
        }
        vec![Location::caller(); 2].into_iter()
    }
}

#[test]
fn callers_are_tracked_whichever_way_a_function_leaves() {
    let _ = id("tracked ways");
    for way in [0, 1, 2] {
        let (at, line) = (leaves(Some(way)).unwrap(), line!());
        assert_eq!((at.file(), at.line()), (file!(), line), "{way}");
        let (mut at, line) = (tracked::hidden(way), line!());
        assert!(at.all(|at| (at.file(), at.line()) == (file!(), line)), "{way}");
    }
    let (at, line) = (leaves_if_it_may(1u8).unwrap(), line!());
    assert_eq!((at.file(), at.line()), (file!(), line));
    assert!(leaves(None).is_none() && leaves_if_it_may(0u8).is_err() && Tracked[0] == 1);

    let trace_id = id("tracked index");
    let panics = || std::panic::catch_unwind(|| Tracked[1]).is_err().then_some(line!());
    let line = observe_in(trace_id, panics).unwrap();
    let spans = trace(trace_id);
    let message = named(&spans, "index").status_message.clone().unwrap();
    assert!(message.starts_with(&format!("panicked at tests/hygiene.rs:{line}: an item")), "{message}");
}

#[test]
fn callers_are_tracked_through_observed_functions() {
    let _ = id("tracked");
    let (at, line) = (whoami(), line!());
    assert_eq!((at.file(), at.line()), (file!(), line));
    let trace_id = id("tracked panic");
    let panics = || std::panic::catch_unwind(|| Tracked.unwraps(None)).is_err().then_some(line!());
    let line = observe_in(trace_id, panics).unwrap();
    let spans = trace(trace_id);
    let message = named(&spans, "unwraps").status_message.clone().unwrap();
    assert!(message.starts_with(&format!("panicked at tests/hygiene.rs:{line}: a number")), "{message}");
}

#[observe(trace_id = trace, skip_all)]
fn observe_in<R>(trace: TraceId, call: impl FnOnce() -> R) -> R {
    call()
}
