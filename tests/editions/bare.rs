// Shared by a test crate of every edition: nothing is in scope here by a short name, and what is has names of the macro's.
#![no_implicit_prelude]
#![allow(dead_code)]

pub struct Option;
pub struct Result;
pub struct String;
mod std {}

#[::observe::observe]
pub fn early(n: u8) -> ::std::option::Option<u8> {
    let less = u8::checked_sub(n, 1)?;
    if less > 1 {
        return ::std::option::Option::Some(less);
    }
    ::std::option::Option::None
}

#[::observe::observe]
impl String {
    pub fn fails(&self, text: &str) -> ::std::result::Result<u8, ::std::num::ParseIntError> {
        str::parse(text)
    }
}

#[::observe::observe]
pub fn items(n: u8) -> impl ::std::iter::Iterator<Item = u8> {
    ::std::iter::once(n)
}
