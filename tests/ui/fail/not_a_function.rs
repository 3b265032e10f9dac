use observe::observe;

#[observe]
struct NotAFunction;

#[observe]
const fn at_compile_time() {}

trait Answers {
    #[observe]
    fn answer(&self);
}

#[observe(name = "a", name = "b")]
fn twice() {}

#[observe]
const LIMIT: fn() = twice;

#[observe]
use std::fmt;

#[observe]
static WORDS: [&str; 1] = ["fn"];

#[observe]
#[unsafe(naked)]
extern "C" fn naked() {
    std::arch::naked_asm!("ret")
}

fn main() {}
