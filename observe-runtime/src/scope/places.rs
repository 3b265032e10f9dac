//! The places in the source that open spans by hand: what is the same for every span of one of them is kept, so that each
//! span only names its number.

use std::{
    panic::Location,
    ptr,
    sync::{LazyLock, OnceLock},
};

use observe_model::SpanType;

use crate::site::Site;

/// So many places are known; a program has fewer. At others, spans are recorded without their place in the source.
const SLOTS: usize = 4096;

/// So many slots are tried for a place.
const PROBES: usize = 16;

struct Place {
    location: &'static Location<'static>,
    span_type: SpanType,
    name: &'static str,
    site: Site,
}

impl Place {
    fn is(&self, location: &'static Location<'static>, span_type: SpanType, name: &'static str) -> bool {
        ptr::eq(self.location, location) && self.span_type == span_type && self.name == name
    }
}

/// Filled once each, read without a lock.
static PLACES: [OnceLock<Box<Place>>; SLOTS] = [const { OnceLock::new() }; SLOTS];

/// For what finds no slot.
static ELSEWHERE: LazyLock<[Site; SpanType::ALL.len()]> =
    LazyLock::new(|| std::array::from_fn(|n| Site::at("", None).as_type(SpanType::ALL[n])));

/// The site of spans of this type and name that are opened at `location`.
pub(super) fn site(
    location: &'static Location<'static>,
    span_type: SpanType,
    name: &'static str,
) -> &'static Site {
    let address = ptr::from_ref(location).addr() / align_of::<Location<'_>>();
    let first = address.wrapping_mul(31).wrapping_add(span_type as usize);
    let make = || {
        let site = Site::at(name, Some(location)).as_type(span_type);
        Box::new(Place { location, span_type, name, site })
    };
    (0..PROBES)
        .map(|n| PLACES[first.wrapping_add(n) % SLOTS].get_or_init(make))
        .find(|place| place.is(location, span_type, name))
        .map_or(&ELSEWHERE[span_type as usize], |place| &place.site)
}
