//! An OTLP/HTTP receiver that keeps every span it is sent, as slow or as ill as a test wants it.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use observe::{SpanId, TraceId};

/// How the receiver behaves.
#[derive(Clone, Copy)]
pub struct Manner {
    /// What each answer takes.
    pub delay: Duration,
    /// So many requests are answered with [`Manner::refusal`]; their spans are not kept.
    pub refusals: usize,
    pub refusal: u16,
}

/// A span that arrived.
pub struct Arrived {
    pub parent: Option<SpanId>,
    /// The whole message.
    pub bytes: Vec<u8>,
}

type Spans = HashMap<TraceId, HashMap<SpanId, Arrived>>;

#[derive(Clone)]
pub struct Sink {
    pub address: SocketAddr,
    manner: Manner,
    spans: Arc<Mutex<Spans>>,
    requests: Arc<AtomicUsize>,
}

impl Sink {
    pub fn start(manner: Manner) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), manner)
    }

    /// A receiver at an address of the caller's choice.
    pub fn listen(listener: TcpListener, manner: Manner) -> Self {
        let address = listener.local_addr().unwrap();
        let sink = Self { address, manner, spans: Arc::default(), requests: Arc::default() };
        let serving = sink.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (serving, stream) = (serving.clone(), stream.unwrap());
                thread::spawn(move || serving.serve(stream));
            }
        });
        sink
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

    /// How many spans of a trace arrived, and how many of them have a parent.
    pub fn count(&self, trace: TraceId) -> (usize, usize) {
        self.with_trace(trace, |spans| (spans.len(), spans.values().filter(|s| s.parent.is_some()).count()))
    }

    /// Answers a connection's requests until it is closed.
    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        while let Some(body) = request(&mut reader) {
            let number = self.requests.fetch_add(1, Ordering::Relaxed);
            thread::sleep(self.manner.delay);
            let status = if number < self.manner.refusals { self.manner.refusal } else { 200 };
            if status == 200 {
                self.keep(&body);
            }
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn keep(&self, body: &[u8]) {
        let mut all = self.spans.lock().unwrap();
        // ExportTraceServiceRequest.resource_spans, ResourceSpans.scope_spans, ScopeSpans.spans.
        let scopes = fields(body, 1).flat_map(|resource| fields(resource, 2));
        for span in scopes.flat_map(|scope| fields(scope, 2)) {
            let bytes = |field| fields(span, field).next().unwrap_or_default();
            let id = |field| bytes(field).try_into().ok().and_then(SpanId::from_bytes);
            let trace = TraceId::from_bytes(bytes(1).try_into().unwrap()).unwrap();
            let arrived = Arrived { parent: id(4), bytes: span.to_vec() };
            let before = all.entry(trace).or_default().insert(id(2).unwrap(), arrived);
            assert!(before.is_none(), "a span arrived twice");
        }
    }
}

/// The body of the next request.
fn request(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut len = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            len = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; len];
    reader.read_exact(&mut body).ok()?;
    Some(body)
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
