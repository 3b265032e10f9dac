//! `sink DELAY_MS`: an OTLP/HTTP receiver that answers every export after a delay and counts what came, by walking the
//! protobuf. Prints its port; at the end of its standard input it prints the counts and ends.
#![forbid(unsafe_code)]

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use flate2::bufread::GzDecoder;
use observe_benches::clock;

static REQUESTS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static SPANS: AtomicU64 = AtomicU64::new(0);

/// A varint, and how many bytes it has.
fn varint(input: &mut impl BufRead) -> io::Result<(u64, u64)> {
    let mut value = 0;
    for n in 0..10 {
        let byte = *input.fill_buf()?.first().ok_or(io::ErrorKind::UnexpectedEof)?;
        input.consume(1);
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Ok((value, n + 1));
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn skip(input: &mut impl BufRead, mut length: u64) -> io::Result<()> {
    while length > 0 {
        let there = input.fill_buf()?.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        if there == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        input.consume(there);
        length -= there as u64;
    }
    Ok(())
}

/// The fields that lead from an `ExportTraceServiceRequest` to its spans.
const PATH: [u64; 3] = [1, 2, 2];

/// Spans in a message of `left` bytes, below the fields of `path`. Nothing is kept: what was read last is still in the
/// processor's cache, as with a receiver that has better to do than to share the machine with whom it measures.
fn spans(input: &mut impl BufRead, mut left: u64, path: &[u64]) -> io::Result<u64> {
    let mut count = 0;
    while left > 0 {
        let (tag, head) = varint(input)?;
        let (length, more) = match tag & 7 {
            0 => (0, varint(input)?.1),
            1 => (8, 0),
            2 => varint(input)?,
            5 => (4, 0),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        left = left.checked_sub(head + more + length).ok_or(io::ErrorKind::InvalidData)?;
        match path {
            [field, below @ ..] if tag == field << 3 | 2 && !below.is_empty() => {
                count += spans(input, length, below)?;
            }
            [field, ..] => {
                count += u64::from(tag == field << 3 | 2);
                skip(input, length)?;
            }
            [] => skip(input, length)?,
        }
    }
    Ok(count)
}

/// The length of the next request's body and whether it is compressed; `None` at the end of the connection.
fn request(input: &mut impl BufRead) -> io::Result<Option<(u64, bool)>> {
    let (mut line, mut length, mut gzip) = (String::new(), 0, false);
    loop {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            return Ok(Some((length, gzip)));
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        gzip |= header == "content-encoding: gzip";
        if header.starts_with("transfer-encoding:") {
            return Err(io::Error::other("only bodies of known length are counted"));
        }
    }
}

fn serve(stream: TcpStream, delay: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut output = stream.try_clone()?;
    let mut input = BufReader::with_capacity(1 << 17, stream);
    while let Some((length, gzip)) = request(&mut input)? {
        let spans = if gzip {
            let mut body = Vec::new();
            GzDecoder::new((&mut input).take(length)).read_to_end(&mut body)?;
            spans(&mut &*body, body.len() as u64, &PATH)?
        } else {
            spans(&mut input, length, &PATH)?
        };
        thread::sleep(delay);
        REQUESTS.fetch_add(1, Relaxed);
        BYTES.fetch_add(length, Relaxed);
        SPANS.fetch_add(spans, Relaxed);
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
    let cpu = clock::process().as_nanos();
    println!("{{\"requests\": {requests}, \"bytes\": {bytes}, \"spans\": {spans}, \"sink_ns\": {cpu}}}");
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
        assert_eq!(spans(&mut &body[..], body.len() as u64, &PATH).unwrap(), 6);
    }

    #[test]
    fn bytes_that_are_no_protobuf_are_an_error() {
        for body in [&[0xff; 20][..], &[10, 200, 18], &[11], b"{}"] {
            assert!(spans(&mut &*body, body.len() as u64, &PATH).is_err());
        }
    }
}
