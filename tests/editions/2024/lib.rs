//! `#[observe]` in a crate of edition 2024.
#![deny(warnings)]
#![cfg(test)]

#[path = "../bare.rs"]
mod bare;
#[path = "../drops.rs"]
mod drops;
#[path = "../lints.rs"]
mod lints;
#[path = "../lints_async.rs"]
mod lints_async;
#[path = "../never.rs"]
mod never;
#[path = "../drops_async.rs"]
mod drops_async;

#[test]
fn futures_drop_what_they_hold_in_the_order_of_the_plain_ones() {
    recording();
    drops_async::futures_drop_what_they_hold_in_the_order_of_the_plain_ones();
}

/// What borrows from a local is dropped before it in this edition only.
#[observe::observe]
fn tail_that_borrows_a_local(n: u8) -> usize {
    let cell = std::cell::RefCell::new(vec![n]);
    cell.borrow().len()
}

#[test]
fn temporaries_of_the_tail_are_dropped_before_locals() {
    assert_eq!(tail_that_borrows_a_local(1), 1);
}

#[test]
fn arguments_and_locals_are_dropped_in_the_order_of_the_plain_function() {
    recording();
    drops::arguments_and_locals_are_dropped_in_the_order_of_the_plain_function();
}

#[test]
fn bodies_that_never_end_do_what_they_did() {
    recording();
    never::bodies_that_never_end_do_what_they_did();
}

#[test]
fn functions_where_no_short_name_is_in_scope_do_what_they_did() {
    recording();
    assert_eq!((bare::early(3), bare::early(0)), (Some(2), None));
    assert_eq!((bare::String.fails("x").is_err(), bare::items(1).count()), (true, 1));
}

#[test]
fn no_lint_finds_what_the_attribute_writes() {
    recording();
    lints::functions_are_what_they_were();
    lints_async::futures_are_what_they_were();
}

fn recording() {
    static GUARD: std::sync::OnceLock<observe::Guard> = std::sync::OnceLock::new();
    GUARD.get_or_init(|| observe::builder().destination(observe::destination::Memory::new()).init());
}
