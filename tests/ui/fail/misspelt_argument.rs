use observe::observe;

#[observe(as_typ = "tool")]
fn one() {}

#[observe(colour = "red")]
fn two() {}

fn main() {}
