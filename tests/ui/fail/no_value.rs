use observe::observe;

#[observe(name)]
fn one() {}

#[observe(tags("a"))]
fn two() {}

#[observe(as_type = tool)]
fn three() {}

#[observe(capture_output = "no")]
fn four() {}

#[observe(skip)]
#[observe(skip, name = "a")]
fn five() {}

#[observe(redact = a)]
fn six(a: u8) {}

#[observe(output = ret.len())]
fn seven() {}

#[observe(output = |a, b| a)]
fn eight() {}

#[observe(skip(a.b))]
fn nine(a: u8) {}

#[observe(redact(a()))]
fn ten(a: u8) {}

#[observe(name = "a" level = "debug")]
fn eleven() {}

#[observe(metadata = [1])]
fn twelve() {}

fn main() {}
