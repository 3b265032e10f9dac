// Shared by the test crates of the editions that have `async`: the same of futures.
#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(clippy::shadow_reuse, clippy::unreachable, clippy::indexing_slicing)]
#![deny(elided_lifetimes_in_paths, single_use_lifetimes, unused_lifetimes, unused_qualifications, unreachable_code)]
#![forbid(deprecated, unused_variables, unused_mut, clippy::todo, clippy::dbg_macro)]
#![allow(clippy::redundant_pub_crate, reason = "the module is private, its functions are called from outside")]

use std::{convert::Infallible, num::ParseIntError};

use observe::observe;

struct View<'a>(&'a str);

#[observe]
impl<'a> View<'a> {
    async fn parse(&self, radix: u32, mut list: Vec<u32>) -> Result<Vec<u32>, ParseIntError> {
        std::future::ready(()).await;
        list.push(u32::from_str_radix(self.0, radix)?);
        Ok(list)
    }

    async fn longest(&self, other: &'a str, _unused: String) -> &'a str {
        std::future::ready(()).await;
        if other.len() > self.0.len() {
            return other;
        }
        self.0
    }
}

#[observe]
async fn hidden(n: u8) -> impl Iterator<Item = u8> {
    std::future::ready(std::iter::once(n)).await
}

#[observe]
async fn nothing(never: Infallible) -> u8 {
    std::future::ready(()).await;
    match never {}
}

#[observe]
async fn endless() -> ! {
    loop {
        std::future::ready(()).await;
    }
}

pub fn futures_are_what_they_were() {
    let view = View("12");
    drop((view.parse(10, vec![1]), view.longest("345", String::new()), hidden(1), endless()));
    let _ = nothing;
}
