//! From an encoded request to its answer: repeated where that may help, divided where one span spoils it, kept on disk
//! where the receiver is away.
//!
//! A destination hands [`Parcel`]s to its [`Outbox`], whose thread has a small tokio runtime of its own, so that the host
//! needs none. What becomes of each is decided in [`verdict`], what a receiver is asked first in [`lookup`], when to try
//! again in [`pace`], whose turn it is among those of one trace in [`lanes`], what waits on disk lies in the [`spool`], what a
//! killed process [`left`] comes there too, and [`post`] puts them together.

#![cfg_attr(
    not(all(feature = "otlp", any(feature = "artanis", feature = "tracium"))),
    allow(dead_code, unused_imports, reason = "not every build has a destination that needs all of it")
)]

mod lanes;
mod left;
mod lookup;
mod outbox;
mod pace;
mod parcel;
mod post;
mod spool;
mod transport;
mod verdict;

pub(crate) use self::{
    left::{Body, Left, Put},
    lookup::{Ask, Lookup},
    outbox::{Outbox, Settings},
    parcel::{Content, Order},
    spool::SpoolSettings,
};
