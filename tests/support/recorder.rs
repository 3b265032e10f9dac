//! An HTTP receiver that keeps every request as it came, and answers as it is told.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part of it")]

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use observe::Span;
use serde_json::Value;

/// A request as it came.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    /// Unpacked.
    pub body: Vec<u8>,
}

/// Without the body, which may be long.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {:?}", self.method, self.path, self.headers)
    }
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.line()))
    }

    /// `POST /path`
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    answers: HashMap<String, (u16, String)>,
    held: bool,
}

#[derive(Clone)]
pub struct Recorder {
    address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

/// Nothing is answered while it is there.
pub struct Held(Recorder);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.state.0.lock().unwrap().held = false;
        self.0.state.1.notify_all();
    }
}

impl Recorder {
    pub fn start() -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub fn listen(listener: TcpListener) -> Self {
        let recorder = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = recorder.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                thread::spawn(move || serving.serve(stream));
            }
        });
        recorder
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Requests to a path, its query aside, get this answer instead of 200 and `{}`.
    pub fn answer(&self, path: &str, status: u16, body: &str) {
        self.state.0.lock().unwrap().answers.insert(path.to_owned(), (status, body.to_owned()));
    }

    /// Lets all requests wait for their answers.
    pub fn hold(&self) -> Held {
        self.state.0.lock().unwrap().held = true;
        Held(self.clone())
    }

    /// What came so far, in the order in which it came.
    pub fn requests(&self) -> Vec<Request> {
        self.state.0.lock().unwrap().requests.clone()
    }

    /// Waits until `number` requests that `which` takes have come, and gives them.
    pub fn wait_for(&self, number: usize, which: impl Fn(&Request) -> bool) -> Vec<Request> {
        let (state, came) = &*self.state;
        let mut state = state.lock().unwrap();
        loop {
            let found: Vec<_> = state.requests.iter().filter(|request| which(request)).cloned().collect();
            if found.len() >= number {
                return found;
            }
            state = came.wait(state).unwrap();
        }
    }

    /// The spans that came as OTLP in protobuf.
    pub fn spans(&self) -> Vec<Span<'static>> {
        let requests = self.requests();
        let bodies = requests.iter().filter(|r| r.header("content-type") == Some("application/x-protobuf"));
        let decoded =
            bodies.map(|r| observe_wire::decode(&r.body, &observe_wire::Limits::default()).unwrap());
        decoded.flat_map(|d| d.resources).flat_map(|resource| resource.spans).collect()
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(request) = read(&mut reader) {
            let (state, changed) = &*self.state;
            let mut state = state.lock().unwrap();
            let path = request.path.split('?').next().unwrap().to_owned();
            state.requests.push(request);
            changed.notify_all();
            while state.held {
                state = changed.wait(state).unwrap();
            }
            let (status, body) = state.answers.get(&path).cloned().unwrap_or((200, "{}".to_owned()));
            drop(state);
            // An empty protobuf message is an empty body.
            let body = if path.ends_with("/v1/traces") && status == 200 { String::new() } else { body };
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace().map(ToOwned::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&*body).read_to_end(&mut unpacked).unwrap();
        body = unpacked;
    }
    Some(Request { method, path, headers, body })
}
