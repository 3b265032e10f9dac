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
fn outlives_early<'a, 'b>(a: &'a str, b: &'b str) -> Option<&'a str> {
    if a.is_empty() {
        return Some(b);
    }
    Some(a)
}

#[observe]
fn outlives_at_the_end<'a, 'b>(a: &'a str, b: &'b str) -> &'a str {
    let _ = a;
    b
}

#[observe]
async fn outlives_later<'a, 'b>(a: &'a str, b: &'b str) -> &'a str {
    std::future::ready(a).await;
    b
}

#[observe]
fn outlives_all(b: &str) -> Result<&'static str, std::num::ParseIntError> {
    let _: u8 = b.parse()?;
    Ok(b)
}

struct Named(String);

#[observe]
impl Named {
    fn outlives_self_early(&self, b: &str) -> &str {
        if b.is_empty() {
            return b;
        }
        &self.0
    }

    fn outlives_self_at_the_end(&self, b: &str) -> &str {
        let _ = &self.0;
        b
    }

    async fn outlives_self_later(&self, b: &str) -> Option<&str> {
        std::future::ready(&self.0).await;
        Some(b)
    }
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
