// Shared by a test crate of every edition: bodies that never end do what they did and bring no warning.

use std::panic::{AssertUnwindSafe, catch_unwind};

use observe::observe;

#[observe]
fn parks(n: u8) {
    loop {
        assert!(n > 0, "parks");
        ::std::thread::park();
    }
}

#[observe]
fn refuses() {
    panic!("refuses")
}

#[observe]
fn parks_for(n: u8) -> u8 {
    loop {
        if n == 0 {
            panic!("parks_for");
        }
        ::std::thread::park();
    }
}

#[observe]
fn refuses_text(n: Option<u8>) -> Option<String> {
    let n = n?;
    panic!("refuses_text {}", n)
}

#[observe]
fn refuses_items() -> Box<dyn Iterator<Item = u8>> {
    panic!("refuses_items");
}

#[observe]
fn refuses_for_ever(n: u8) -> ! {
    assert!(n > 0, "refuses_for_ever");
    loop {
        ::std::thread::park();
    }
}

/// What it panicked with.
fn said<R>(call: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(_) => String::new(),
        Err(panic) => match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast_ref::<&str>().map(|text| text.to_string()).unwrap_or_default(),
        },
    }
}

pub fn bodies_that_never_end_do_what_they_did() {
    assert_eq!(said(|| parks(0)), "parks");
    assert_eq!(said(refuses), "refuses");
    assert_eq!(said(|| parks_for(0)), "parks_for");
    assert_eq!(refuses_text(None), None);
    assert_eq!(said(|| refuses_text(Some(1))), "refuses_text 1");
    assert_eq!(said(refuses_items), "refuses_items");
    assert_eq!(said(|| refuses_for_ever(0)), "refuses_for_ever");
}
