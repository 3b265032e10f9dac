use observe::observe;

#[observe]
fn returns_what_dies(n: u8) -> &'static str {
    let text = n.to_string();
    &text
}

#[observe]
fn moves_twice(text: String) -> Option<String> {
    let first = Some(text);
    first?;
    Some(text)
}

#[observe]
fn changes_what_is_borrowed(mut list: Vec<u8>) -> Option<u8> {
    let first = list.first()?;
    list.clear();
    Some(*first)
}

#[observe]
fn outlives<'a, 'b>(a: &'a str, b: &'b str) -> &'a str {
    if a.is_empty() {
        return a;
    }
    b
}

#[observe]
async fn moves_twice_later(text: String) -> (String, String) {
    std::future::ready(()).await;
    (text, text)
}

#[observe]
fn changes_what_is_not_mut(n: u8) -> u8 {
    n += 1;
    n
}

fn main() {}
