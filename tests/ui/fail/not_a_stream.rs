use observe::observe;

#[observe(stream)]
fn number() -> impl std::fmt::Debug {
    1u8
}

#[observe(skip_all, stream)]
fn list(n: u8) -> Vec<u8> {
    if n == 0 {
        return Vec::new();
    }
    vec![n]
}

#[observe(stream)]
async fn later(n: u8) -> Result<Vec<u8>, String> {
    Ok(vec![n])
}

fn main() {
    number();
    list(1);
    drop(later(1));
}
