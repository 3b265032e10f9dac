use observe::observe;

#[observe(as_type = "retreiver")]
fn one() {}

#[observe(level = "loud")]
fn two() {}

fn main() {}
