//! An OTLP/HTTP receiver over real sockets that keeps every span it is sent, and is as slow or as ill as a test wants it.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use flate2::read::GzDecoder;
use observe::{SpanId, TraceId};

/// A span that arrived.
pub struct Arrived {
    pub parent: Option<SpanId>,
    pub name: String,
    /// The whole message.
    pub bytes: Vec<u8>,
    /// How often it came.
    pub times: u32,
}

impl Arrived {
    /// An attribute that is a text.
    pub fn text(&self, key: &str) -> Option<String> {
        let mut attributes = fields(&self.bytes, 9).filter(|a| fields(a, 1).next() == Some(key.as_bytes()));
        let value = fields(attributes.next()?, 2).next()?;
        Some(String::from_utf8(fields(value, 1).next()?.to_vec()).unwrap())
    }
}

type Spans = HashMap<TraceId, HashMap<SpanId, Arrived>>;

/// What is done about a request. An error closes the connection.
type Manner = dyn Fn(&mut Request<'_>) -> io::Result<()> + Send + Sync;

/// A connection, be it encrypted or not.
pub trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    manner: Arc<Manner>,
    spans: Arc<Mutex<Spans>>,
    requests: Arc<AtomicUsize>,
}

impl Receiver {
    pub fn start(manner: impl Fn(&mut Request<'_>) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), |stream| Box::new(stream), manner)
    }

    /// A receiver at an address of the caller's choice, which speaks through what `open` makes of a connection.
    pub fn listen(
        listener: TcpListener,
        open: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static,
        manner: impl Fn(&mut Request<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let receiver =
            Self { address, manner: Arc::new(manner), spans: Arc::default(), requests: Arc::default() };
        let serving = receiver.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (serving, stream) = (serving.clone(), open(stream.unwrap()));
                thread::spawn(move || serving.serve(BufReader::new(stream)));
            }
        });
        receiver
    }

    /// Where spans are sent.
    pub fn url(&self) -> String {
        format!("http://{}/v1/traces", self.address)
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Looks at what arrived of a trace.
    pub fn with_trace<R>(&self, trace: TraceId, look: impl FnOnce(&HashMap<SpanId, Arrived>) -> R) -> R {
        look(self.spans.lock().unwrap().entry(trace).or_default())
    }

    /// Looks at all that arrived.
    pub fn with_all<R>(&self, look: impl FnOnce(&mut dyn Iterator<Item = &Arrived>) -> R) -> R {
        look(&mut self.spans.lock().unwrap().values().flat_map(|trace| trace.values()))
    }

    /// How many spans of a trace arrived, each of them once, and how many of them have a parent.
    pub fn count(&self, trace: TraceId) -> (usize, usize) {
        self.with_trace(trace, |spans| {
            assert!(spans.values().all(|span| span.times == 1), "a span arrived twice");
            (spans.len(), spans.values().filter(|s| s.parent.is_some()).count())
        })
    }

    /// Serves a connection until one side closes it.
    fn serve(&self, mut stream: BufReader<Box<dyn Stream>>) -> io::Result<()> {
        while let Some(head) = head(&mut stream)? {
            let number = self.requests.fetch_add(1, Ordering::Relaxed);
            (self.manner)(&mut Request { number, head, receiver: self, stream: &mut stream })?;
        }
        Ok(())
    }

    fn keep(&self, body: &[u8]) {
        let mut all = self.spans.lock().unwrap();
        for span in spans_of(body) {
            let bytes = |field| fields(span, field).next().unwrap_or_default();
            let id = |field| bytes(field).try_into().ok().and_then(SpanId::from_bytes);
            let trace = TraceId::from_bytes(bytes(1).try_into().unwrap()).unwrap();
            let arrived = all.entry(trace).or_default().entry(id(2).unwrap()).or_insert_with(|| Arrived {
                parent: id(4),
                name: String::from_utf8(bytes(5).to_vec()).unwrap(),
                bytes: span.to_vec(),
                times: 0,
            });
            arrived.times += 1;
        }
    }
}

/// A request whose head has been read.
pub struct Request<'a> {
    /// Which of all requests it is, from 0.
    pub number: usize,
    /// Its headers, in lower case, and what stands before them.
    pub head: Vec<String>,
    receiver: &'a Receiver,
    stream: &'a mut BufReader<Box<dyn Stream>>,
}

impl Request<'_> {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    }

    /// Its body, decompressed.
    pub fn body(&mut self) -> io::Result<Vec<u8>> {
        let length = self.header("content-length").unwrap_or("0").parse().unwrap();
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        if self.header("content-encoding") == Some("gzip") {
            let compressed = std::mem::take(&mut body);
            GzDecoder::new(&*compressed).read_to_end(&mut body)?;
        }
        Ok(body)
    }

    /// Reads so much of its body and no more.
    pub fn read(&mut self, bytes: usize) -> io::Result<()> {
        self.stream.read_exact(&mut vec![0; bytes])
    }

    /// Keeps the spans of a body.
    pub fn keep(&self, body: &[u8]) {
        self.receiver.keep(body);
    }

    /// Writes bytes as they are.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())?;
        self.stream.get_mut().flush()
    }

    /// Answers, with `headers` that each end a line.
    pub fn answer(&mut self, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        self.say([head.as_bytes(), body].concat())
    }

    /// Keeps its spans and says so.
    pub fn take(&mut self) -> io::Result<()> {
        let body = self.body()?;
        self.keep(&body);
        self.answer(200, "", b"")
    }

    /// Reads it, keeps nothing, and says `status`.
    pub fn refuse(&mut self, status: u16, headers: &str) -> io::Result<()> {
        self.body()?;
        self.answer(status, headers, b"")
    }

    /// Closes the connection, whatever is on the way.
    pub fn hang_up(&self) -> io::Result<()> {
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

/// Takes every request.
pub fn well(request: &mut Request<'_>) -> io::Result<()> {
    request.take()
}

/// The lines before the body of the next request.
fn head(stream: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            return Ok(Some(lines));
        }
        lines.push(line.trim_end().to_ascii_lowercase());
    }
}

/// The spans in a body: `ExportTraceServiceRequest.resource_spans`, `ResourceSpans.scope_spans`, `ScopeSpans.spans`.
fn spans_of(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    fields(body, 1).flat_map(|resource| fields(resource, 2)).flat_map(|scope| fields(scope, 2))
}

/// The names of the spans in a body.
pub fn names(body: &[u8]) -> Vec<String> {
    let name = |span| String::from_utf8(fields(span, 5).next().unwrap_or_default().to_vec()).unwrap();
    spans_of(body).map(name).collect()
}

/// The length-delimited fields with this number of a protobuf message.
fn fields(mut message: &[u8], wanted: u64) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while !message.is_empty() {
            let tag = varint(&mut message);
            let len = match tag & 7 {
                0 => {
                    varint(&mut message);
                    continue;
                }
                1 => 8,
                2 => usize::try_from(varint(&mut message)).unwrap(),
                5 => 4,
                other => panic!("wire type {other}"),
            };
            let (field, rest) = message.split_at(len);
            message = rest;
            if tag >> 3 == wanted {
                return Some(field);
            }
        }
        None
    })
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = message.split_first().unwrap();
        *message = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}
