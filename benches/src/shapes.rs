//! How the measured functions call each other.

use std::hint::black_box;

use crate::{
    cases::{Functions, Root},
    payload::{PROMPT, Request},
};

/// A root with `n` children.
#[inline(always)]
pub fn children<F: Functions, R: Root>(n: u64) {
    R::root(|| {
        for id in 0..n {
            black_box(F::leaf(black_box(PROMPT), black_box(&Request { id })));
        }
    });
}

/// A root with ten spans below, one inside the other.
#[inline(always)]
pub fn ten_deep<F: Functions, R: Root>() {
    R::root(|| {
        black_box(F::deep(black_box(PROMPT), black_box(&Request { id: 9 })));
    });
}

/// A root with one child that is given `prompt`.
#[inline(always)]
pub fn with_prompt<F: Functions, R: Root>(prompt: &str) {
    R::root(|| {
        black_box(F::leaf(black_box(prompt), black_box(&Request { id: 7 })));
    });
}

/// [`children`], asynchronous.
#[inline(always)]
pub async fn children_async<F: Functions, R: Root>(n: u64) {
    R::root_async(async {
        for id in 0..n {
            black_box(F::leaf_async(black_box(PROMPT), black_box(&Request { id })).await);
        }
    })
    .await;
}

/// [`ten_deep`], asynchronous.
#[inline(always)]
pub async fn ten_deep_async<F: Functions, R: Root>() {
    R::root_async(async {
        black_box(F::deep_async(black_box(PROMPT), black_box(&Request { id: 9 })).await);
    })
    .await;
}
