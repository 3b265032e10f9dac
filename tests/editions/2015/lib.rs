//! `#[observe]` in a crate of edition 2015.
#![deny(warnings)]
#![cfg(test)]
#![allow(bare_trait_objects)]

extern crate observe;

#[path = "../bare.rs"]
mod bare;
#[path = "../drops.rs"]
mod drops;
#[path = "../lints.rs"]
mod lints;
#[path = "../never.rs"]
mod never;

mod core {
    // What is a word in later editions is a name in this one, and paths begin at the crate's root.
    #[::observe::observe]
    pub fn local(n: Option<u8>) -> Option<u8> {
        let async = ::std::convert::identity(n)?;
        let dyn: &Fn(u8) -> u8 = &|await| await + 1;
        Some(dyn(async))
    }
}

#[test]
fn words_and_paths_in_the_body_are_those_of_the_edition() {
    recording();
    assert_eq!(core::local(Some(1)), Some(2));
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
}

fn recording() {
    static GUARD: std::sync::OnceLock<observe::Guard> = std::sync::OnceLock::new();
    GUARD.get_or_init(|| observe::builder().destination(observe::destination::Memory::new()).init());
}
