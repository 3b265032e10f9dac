/// Reads a number.
#[observe(as_type = "tool", name = format!("parse {text}"), skip(radix), metadata = { length: text.len() })]
#[must_use]
#[expect(unused_mut)]
fn parse(mut text: String, radix: u32, _: Vec<u8>) -> Result<u32, Error> {
    Ok(u32::from_str_radix(&text, radix)?)
}
