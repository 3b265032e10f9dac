#[observe(crate = crate::observe)]
mod hidden {
    fn items(limit: u8) -> Result<impl Iterator<Item = u8>, Error> {
        check(limit)?;
        Ok(0..limit)
    }

    fn adder() -> impl Fn(u8) -> u8 {
        |n| n + 1
    }

    #[track_caller]
    fn tracked(n: Option<u8>) -> u8 {
        n.unwrap()
    }

    async fn forever() -> ! {
        loop {}
    }
}
