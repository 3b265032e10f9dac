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

fn main() {}
