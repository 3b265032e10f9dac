use observe::observe;

#[observe(redact(crad.number))]
fn one(card: u8) {}

struct Owner;

impl Owner {
    #[observe(skip(self))]
    fn two(&self) {}
}

#[observe(skip(qeury))]
impl Owner {
    fn three(&self, query: u8) {}

    #[observe(as_tipe = "tool")]
    fn four(&self) {}
}

#[observe(skip(query))]
impl Owner {
    fn five(&self, query: u8) {}

    #[observe(skip(qeury))]
    fn six(&self, query: u8) {}

    #[observe(as_tipe = "tool")]
    fn seven(&self) {}
}

fn main() {}
