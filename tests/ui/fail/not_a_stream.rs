use observe::observe;

#[observe(stream)]
fn number() -> impl std::fmt::Debug {
    1
}

fn main() {
    number();
}
