use observe::observe;

#[observe(skip(clinet))]
fn one(client: u8, query: &str) {}

#[observe(skip(client))]
fn two() {}

fn main() {}
