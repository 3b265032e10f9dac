#[observe(trace_id = request.id, session = &request.thread, redact(request.card.number, password), output = |reply| reply.text())]
async fn handle(&self, request: Request, password: &str, #[cfg(feature = "beta")] beta: bool) -> Result<Reply, Error> {
    self.answer(request).await
}
