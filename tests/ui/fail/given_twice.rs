use observe::observe;

#[observe(as_type = "tool", level = "debug", as_type = "tool")]
fn one() {}

#[observe(skip(a, b, a))]
fn two(a: u8, b: u8) {}

#[observe(redact(a.b.c, a.b.c))]
fn three(a: u8) {}

#[observe(metadata = { key: 1, "key": 2 })]
fn four() {}

#[observe(skip_all, skip_all)]
fn five() {}

fn main() {}
