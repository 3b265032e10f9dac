//! `sink DELAY_MS`: an OTLP/HTTP receiver that answers every export after a delay and counts what came, by walking the
//! protobuf. Prints its port; at the end of its standard input it prints the counts and ends.
#![forbid(unsafe_code)]

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

static REQUESTS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static SPANS: AtomicU64 = AtomicU64::new(0);

/// A protobuf message's fields that are messages, strings or bytes. Ends early where the bytes are no protobuf.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    /// Those numbered so.
    fn numbered(self, number: u64) -> impl Iterator<Item = &'a [u8]> {
        self.filter_map(move |(n, bytes)| (n == number).then_some(bytes))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let tag = self.varint()?;
            match tag & 7 {
                0 => drop(self.varint()?),
                1 => drop(self.take(8)?),
                2 => {
                    let length = self.varint()?;
                    return Some((tag >> 3, self.take(length)?));
                }
                5 => drop(self.take(4)?),
                _ => return None,
            }
        }
    }
}

/// Spans in an `ExportTraceServiceRequest`.
fn spans(body: &[u8]) -> usize {
    let scopes = Fields(body).numbered(1).flat_map(|resource| Fields(resource).numbered(2));
    scopes.map(|scope| Fields(scope).numbered(2).count()).sum()
}

/// Reads the body of the next request into `body`; `false` at the end of the connection.
fn request(input: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<bool> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if header.starts_with("transfer-encoding:") || header.starts_with("content-encoding:") {
            return Err(io::Error::other("only plain bodies of known length are counted"));
        }
    }
    // Memory that is there already: the receiver shares the machine with those whom it measures.
    body.resize(length, 0);
    io::Read::read_exact(input, body)?;
    Ok(true)
}

fn serve(stream: TcpStream, delay: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut output = stream.try_clone()?;
    let mut input = BufReader::with_capacity(1 << 18, stream);
    let mut body = Vec::new();
    while request(&mut input, &mut body)? {
        thread::sleep(delay);
        REQUESTS.fetch_add(1, Relaxed);
        BYTES.fetch_add(body.len() as u64, Relaxed);
        SPANS.fetch_add(spans(&body) as u64, Relaxed);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        output.write_all(head.as_bytes())?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let delay = env::args().nth(1).map_or(Ok(0), |text| text.parse()).map_err(io::Error::other)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                if let Err(error) = serve(stream, Duration::from_millis(delay)) {
                    eprintln!("sink: {error}");
                }
            });
        }
    });
    io::copy(&mut io::stdin(), &mut io::sink())?;
    let (requests, bytes, spans) = (REQUESTS.load(Relaxed), BYTES.load(Relaxed), SPANS.load(Relaxed));
    println!("{{\"requests\": {requests}, \"bytes\": {bytes}, \"spans\": {spans}}}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
    }

    #[test]
    fn spans_of_all_resources_and_scopes_are_counted() {
        let two_spans = [message(1, b"scope"), message(2, b""), message(2, &[8, 1])].concat();
        let resource =
            [message(1, b"resource"), message(2, &two_spans), message(2, &message(2, b""))].concat();
        let body = [message(1, &resource), message(1, &resource)].concat();
        assert_eq!(spans(&body), 6);
    }

    #[test]
    fn bytes_that_are_no_protobuf_hold_no_spans() {
        for body in [&[0xff; 20][..], &[10, 200, 18], &[11], b"{}"] {
            assert_eq!(spans(body), 0);
        }
    }
}
