use observe::observe;

#[observe(input = a, skip(a))]
fn one(a: u8) {}

#[observe(skip_all, redact(a))]
fn two(a: u8) {}

#[observe(capture_input = false, skip(a))]
fn three(a: u8) {}

#[observe(capture_output = false, output = |ret| ret)]
fn four() -> u8 {
    0
}

#[observe(skip(a), redact(a.b))]
fn five(a: u8) {}

#[observe(skip_all, capture_input = true)]
fn six(a: u8) {}

#[observe(input = 1, capture_input = false)]
fn seven(a: u8) {}

fn main() {}
