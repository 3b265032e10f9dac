use observe::observe;

#[observe]
fn wrong_type(n: u8) -> String {
    n
}

#[observe]
async fn wrong_name(n: u8) -> u8 {
    m
}

#[observe(trace_id = "not an id")]
fn wrong_expression(n: u8) -> u8 {
    n
}

fn main() {}
