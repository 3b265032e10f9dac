#[observe(level = "debug", skip(client))]
impl<T: Clone> Tools<T> {
    const LIMIT: usize = 3;

    const fn new() -> Self {
        Tools
    }

    pub fn count(&self, client: &Client) -> usize {
        self.items.len()
    }

    #[observe(skip)]
    fn helper(&self) {}

    #[observe(input = query, err = false, capture_output = false)]
    fn search(self: Box<Self>, client: Client, query: &str) -> Result<(), ()> {
        client.search(query)
    }
}
