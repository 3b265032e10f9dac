//! An annotated function keeps what else stands before it: its attributes, its visibility, its place in the binary.
#![deny(warnings)]
#![allow(unsafe_code, reason = "symbols, sections and features are not to be had without")]

mod support;

use observe::{TraceId, observe};
use serde_json::json;
use support::{id, named, output, trace};

mod outer {
    use observe::observe;

    pub(super) mod middle {
        pub(crate) mod inner {
            use observe::observe;

            #[observe]
            fn private() -> u8 {
                1
            }

            #[observe]
            pub(super) fn above() -> u8 {
                private() + 1
            }

            #[observe]
            pub(in crate::outer) async fn within() -> u8 {
                above() + 1
            }

            #[observe]
            pub(crate) fn everywhere(n: Option<u8>) -> Option<u8> {
                Some(n? + 1)
            }
        }

        pub(super) fn all() -> u8 {
            inner::above()
        }
    }

    #[observe]
    pub(crate) async fn reach() -> u8 {
        middle::all() + middle::inner::within().await
    }
}

/// What may not be reached from where is refused in `tests/ui/fail/visibility_is_kept.rs`.
#[tokio::test]
async fn a_function_is_reached_from_where_it_was() {
    assert_eq!(outer::reach().await, 5);
    assert_eq!(outer::middle::inner::everywhere(Some(1)), Some(2));
}

#[observe(trace_id = TraceId::from_seed("symbols"))]
#[unsafe(no_mangle)]
extern "C" fn observe_kept_name(n: u32) -> u32 {
    n + 1
}

#[observe]
#[unsafe(export_name = "observe_kept_other_name")]
extern "C" fn named_otherwise(n: u32) -> u32 {
    if n == 0 {
        return 7;
    }
    n + 2
}

mod foreign {
    unsafe extern "C" {
        pub(super) safe fn observe_kept_name(n: u32) -> u32;
        pub(super) safe fn observe_kept_other_name(n: u32) -> u32;
    }
}

#[test]
fn a_symbol_keeps_its_name() {
    let trace_id = id("symbols");
    assert_eq!(foreign::observe_kept_name(1), 2);
    assert_eq!((foreign::observe_kept_other_name(0), foreign::observe_kept_other_name(1)), (7, 3));
    assert_eq!(named_otherwise(1), 3);
    assert_eq!(output(named(&trace(trace_id), "observe_kept_name")), json!(2));
}

#[cfg(target_os = "linux")]
mod section {
    use observe::observe;

    #[observe]
    #[unsafe(link_section = "observe_kept")]
    pub(super) fn placed(n: Option<u8>) -> Option<u8> {
        Some(n? + 1)
    }

    unsafe extern "C" {
        #[link_name = "__start_observe_kept"]
        static START: u8;
        #[link_name = "__stop_observe_kept"]
        static STOP: u8;
    }

    /// The addresses of the section, as the linker gives them.
    pub(super) fn addresses() -> std::ops::Range<usize> {
        (&raw const START).addr()..(&raw const STOP).addr()
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_function_stays_in_its_section() {
    let placed: fn(Option<u8>) -> Option<u8> = section::placed;
    assert_eq!(placed(Some(1)), Some(2));
    assert!(section::addresses().contains(&(placed as usize)), "{:x?}", section::addresses());
}

#[cfg(target_arch = "x86_64")]
mod features {
    use std::arch::x86_64::{_mm256_add_epi64, _mm256_extract_epi64, _mm256_set1_epi64x};

    use observe::observe;

    // What it calls is safe only where the compiler knows of the feature.
    #[observe]
    #[target_feature(enable = "avx2")]
    pub(super) fn adds(n: i64) -> i64 {
        _mm256_extract_epi64::<0>(_mm256_add_epi64(_mm256_set1_epi64x(n), _mm256_set1_epi64x(1)))
    }

    #[observe]
    #[target_feature(enable = "avx2")]
    pub(super) fn adds_if(n: Option<i64>) -> Option<i64> {
        let n = _mm256_set1_epi64x(n?);
        Some(_mm256_extract_epi64::<3>(_mm256_add_epi64(n, n)))
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_function_may_use_the_features_of_the_processor_that_it_says() {
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the feature.
        let sums = unsafe { (features::adds(1), features::adds_if(Some(3)), features::adds_if(None)) };
        assert_eq!(sums, (2, Some(6), None));
    }
}

#[observe]
#[cfg(not(test))]
fn switched() -> u8 {
    does_not_exist()
}

#[cfg(test)]
#[observe]
fn switched() -> u8 {
    1
}

#[observe]
#[cfg_attr(all(), must_use)]
#[cfg_attr(any(), deprecated)]
#[doc(hidden)]
#[inline(always)]
/// Documented between its attributes.
#[doc = "and after them"]
fn switched_attributes() -> u8 {
    switched()
}

#[test]
fn what_is_switched_off_is_gone_and_what_is_switched_on_holds() {
    #[expect(unused_must_use, reason = "the demand is still there")]
    switched_attributes();
    assert_eq!(switched_attributes(), 1);
}

mod demanding {
    use observe::observe;

    #[observe]
    #[must_use]
    pub(super) async fn later() -> u8 {
        1
    }

    pub(super) struct Made;

    #[observe]
    impl Made {
        #[must_use = "it is made anew"]
        #[deprecated(since = "1.0.0", note = "use another")]
        #[cold]
        #[inline(never)]
        pub(super) fn anew(self) -> Self {
            self
        }
    }
}

#[test]
fn demands_and_warnings_of_methods_and_futures_are_still_there() {
    #[expect(unused_must_use, reason = "the demand is still there")]
    demanding::later();
    #[expect(unused_must_use, deprecated, reason = "both are still there")]
    demanding::Made.anew();
}

/// Expectations that are as good as those of the plain function, wherever they stand: nothing is said of them.
#[observe]
mod expecting {
    #![expect(unused_variables, reason = "they are captured")]

    pub(super) fn by_the_module(a: u8) {}

    #[cfg_attr(all(), expect(unused_mut, reason = "captured by value"), cfg_attr(all(), expect(dead_code)))]
    pub(super) fn switched(mut a: u8) {}

    pub(super) fn by_the_parameter(#[expect(unused_variables)] a: u8, #[expect(unused_mut)] mut b: u8) -> u8 {
        b
    }

    pub(super) fn from_inside(a: u8) -> u8 {
        #![expect(unused_variables, unused_mut)]
        #![cfg_attr(all(), expect(unreachable_code))]
        let mut b = [1];
        b[0]
    }

    pub(super) struct Kept;

    #[expect(unused_variables)]
    impl Kept {
        #[expect(unused_mut)]
        pub(super) async fn later(mut self, a: u8) {}
    }
}

#[tokio::test]
async fn an_expectation_does_not_complain_of_what_is_captured() {
    expecting::by_the_module(1);
    expecting::switched(1);
    assert_eq!((expecting::by_the_parameter(1, 2), expecting::from_inside(1)), (2, 1));
    expecting::Kept.later(1).await;
}
