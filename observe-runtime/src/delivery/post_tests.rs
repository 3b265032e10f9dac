//! With a virtual clock: ten minutes pass in a moment.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, atomic::AtomicUsize},
};

use observe_model::{Resource, Span, SpanId, Timestamp};
use observe_wire::{Encoder, decode, export_response};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::JoinHandle,
    time::sleep,
};

use super::*;
use crate::{
    delivery::{Order, SpoolSettings},
    destination::Delivered,
};

#[path = "order_tests.rs"]
mod order;
#[path = "records_tests.rs"]
mod records;

type Script = dyn FnMut(&Parcel, Duration) -> Result<Answer, Lost> + Send;

/// A receiver that answers as it is told, after a while.
struct Mock {
    script: Mutex<Box<Script>>,
    begun: Instant,
    takes: Duration,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// What arrived, in order, and when.
    arrived: Mutex<Vec<(String, Duration)>>,
    posts: AtomicUsize,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Seen {
    fn bodies(&self) -> Vec<String> {
        self.arrived.lock().unwrap().iter().map(|(body, _)| body.clone()).collect()
    }
}

impl Transport for Mock {
    async fn post(&self, parcel: &Parcel) -> Result<Answer, Lost> {
        use std::sync::atomic::Ordering::SeqCst;
        self.seen.posts.fetch_add(1, SeqCst);
        let now = self.seen.under_way.fetch_add(1, SeqCst) + 1;
        self.seen.most.fetch_max(now, SeqCst);
        sleep(self.takes).await;
        self.seen.under_way.fetch_sub(1, SeqCst);
        let answer = (self.script.lock().unwrap())(parcel, self.begun.elapsed());
        if answer.as_ref().is_ok_and(|answer| answer.status == 200) {
            let body = String::from_utf8_lossy(&parcel.body).into_owned();
            self.seen.arrived.lock().unwrap().push((body, self.begun.elapsed()));
        }
        answer
    }
}

/// A loop that posts to a mock.
struct Case {
    messages: UnboundedSender<Message>,
    progress: Arc<Progress>,
    seen: Arc<Seen>,
    run: JoinHandle<()>,
}

fn begin(
    disk: Option<&Path>,
    script: impl FnMut(&Parcel, Duration) -> Result<Answer, Lost> + Send + 'static,
) -> Case {
    let (progress, seen) = (Arc::<Progress>::default(), Arc::<Seen>::default());
    let takes = Duration::from_millis(50);
    let mock =
        Mock { script: Mutex::new(Box::new(script)), begun: Instant::now(), takes, seen: Arc::clone(&seen) };
    let spool = disk.map(|directory| Spool::open(SpoolSettings::new(directory.to_owned())));
    let (messages, inbox) = unbounded_channel();
    let run = tokio::spawn(Post::new("mock".into(), mock, spool, Arc::clone(&progress)).run(inbox));
    Case { messages, progress, seen, run }
}

impl Case {
    fn post(&self, content: Content, body: impl Into<Vec<u8>>, spans: u64) {
        self.send("http://x", None, content, body.into(), spans);
    }

    fn send(&self, url: &str, order: Option<Order>, content: Content, body: Vec<u8>, spans: u64) {
        let (body, memory) = (body.into(), Arc::default());
        let parcel = Parcel::new(url.into(), order, content, body, spans, &self.progress, &memory);
        self.messages.send(Message::Post(parcel)).unwrap();
    }

    async fn close(self) -> (Delivered, Vec<String>) {
        drop(self.messages);
        self.run.await.unwrap();
        (self.progress.get(), self.seen.bodies())
    }
}

fn status(status: u16) -> Result<Answer, Lost> {
    Ok(Answer { status, ..Answer::default() })
}

fn away() -> Result<Answer, Lost> {
    Err(Lost::ForNow("nobody there".into()))
}

const TEN_MINUTES: Duration = Duration::from_secs(600);

fn each_once(bodies: &[String], count: usize) {
    let mut sorted: Vec<usize> = bodies.iter().map(|body| body.parse().unwrap()).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..count).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_of_absence_lose_nothing_and_double_nothing() {
    let disk = tempfile::tempdir().unwrap();
    let case = begin(Some(disk.path()), |_, at| if at < TEN_MINUTES { away() } else { status(200) });
    for n in 0..300 {
        case.post(Content::Json, n.to_string(), 1);
        sleep(Duration::from_secs(3)).await;
    }
    sleep(Duration::from_secs(120)).await;
    let posts = case.seen.posts.load(std::sync::atomic::Ordering::SeqCst);
    let (counts, bodies) = case.close().await;
    each_once(&bodies, 300);
    assert_eq!((counts.accepted, counts.sent + counts.replayed, counts.failed), (300, 300, 0));
    assert_eq!(counts.pending(), 0);
    assert!(posts < 340, "{posts}: a receiver that is away is not knocked at all the time");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_back_after_a_restart_gets_everything() {
    let disk = tempfile::tempdir().unwrap();
    let case = begin(Some(disk.path()), |_, _| away());
    for n in 0..50 {
        case.post(Content::Json, n.to_string(), 1);
    }
    sleep(Duration::from_secs(2)).await;
    let (counts, bodies) = case.close().await;
    assert_eq!((counts.spooled, bodies.len()), (50, 0));

    let case = begin(Some(disk.path()), |_, _| status(200));
    for n in 50..60 {
        case.post(Content::Json, n.to_string(), 1);
    }
    sleep(Duration::from_secs(30)).await;
    let (counts, bodies) = case.close().await;
    each_once(&bodies, 60);
    // What was on disk comes in its order.
    let old = bodies.iter().map(|body| body.parse::<usize>().unwrap()).filter(|n| *n < 50);
    assert!(old.is_sorted(), "{bodies:?}");
    assert_eq!((counts.replayed, counts.sent), (50, 10));
}

#[tokio::test(start_paused = true)]
async fn new_requests_do_not_wait_for_those_on_disk() {
    let disk = tempfile::tempdir().unwrap();
    let case = begin(Some(disk.path()), |_, _| away());
    (0..100).for_each(|n| case.post(Content::Json, n.to_string(), 1));
    case.messages.send(Message::Hurry).unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(case.close().await.0.spooled, 100);

    let case = begin(Some(disk.path()), |_, _| status(200));
    (100..120).for_each(|n| case.post(Content::Json, n.to_string(), 1));
    sleep(Duration::from_secs(60)).await;
    let arrived = case.seen.arrived.lock().unwrap().clone();
    let when = |which: fn(usize) -> bool| {
        arrived.iter().filter(|(body, _)| which(body.parse().unwrap())).map(|(_, at)| *at).max().unwrap()
    };
    let (new, old) = (when(|n| n >= 100), when(|n| n < 100));
    assert!(new < Duration::from_millis(500) && old > Duration::from_secs(5), "{new:?} {old:?}");
    each_once(&case.close().await.1, 120);
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_429_is_waited_out_for_as_long_as_it_asks() {
    let disk = tempfile::tempdir().unwrap();
    let mut refusals = 20;
    let case = begin(Some(disk.path()), move |_, _| {
        if refusals == 0 {
            return status(200);
        }
        refusals -= 1;
        Ok(Answer { status: 429, retry_after: Some("30".into()), ..Answer::default() })
    });
    (0..40).for_each(|n| case.post(Content::Json, n.to_string(), 1));
    sleep(Duration::from_secs(29)).await;
    assert!(case.seen.posts.load(std::sync::atomic::Ordering::SeqCst) <= UNDER_WAY);
    sleep(Duration::from_secs(3600)).await;
    let (counts, bodies) = case.close().await;
    each_once(&bodies, 40);
    assert_eq!((counts.failed, counts.pending()), (0, 0));
}

fn spans(count: u64, poison: Option<u64>) -> Vec<u8> {
    let mut encoder = Encoder::new(&Resource::default());
    for n in 0..count {
        let name = if poison == Some(n) { "poison".to_owned() } else { n.to_string() };
        encoder.push(&Span::begin(
            TraceId::from_seed("t"),
            SpanId::from_seed(n.to_string()),
            name,
            Timestamp(1),
        ));
    }
    encoder.take()
}

fn names(body: &[u8]) -> Vec<String> {
    let decoded = decode(body, &Default::default()).unwrap();
    decoded.resources.into_iter().flat_map(|r| r.spans).map(|span| span.name.into_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn one_poisoned_span_in_five_hundred_costs_itself_only() {
    for refusal in [400, 413] {
        let disk = tempfile::tempdir().unwrap();
        let arrived = Arc::new(Mutex::new(BTreeMap::new()));
        let names_seen = Arc::clone(&arrived);
        let case = begin(Some(disk.path()), move |parcel, _| {
            let names = names(&parcel.body);
            if names.iter().any(|name| name == "poison") {
                return Ok(Answer { status: refusal, body: b"bad span".to_vec(), ..Answer::default() });
            }
            names.into_iter().for_each(|name| *names_seen.lock().unwrap().entry(name).or_insert(0) += 1);
            status(200)
        });
        case.post(Content::Protobuf, spans(500, Some(123)), 500);
        sleep(Duration::from_secs(10)).await;
        let posts = case.seen.posts.load(std::sync::atomic::Ordering::SeqCst);
        let (counts, _) = case.close().await;
        assert_eq!((counts.sent, counts.failed, counts.pending()), (499, 1, 0));
        let arrived = arrived.lock().unwrap();
        assert!(arrived.len() == 499 && arrived.values().all(|times| *times == 1));
        assert!(posts <= 20, "{posts}");
        let error = counts.error.unwrap();
        let kept = error.split("kept in ").nth(1).unwrap();
        assert!(
            error.contains(&format!("answered {refusal}: bad span")) && Path::new(kept).exists(),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn partial_success_is_final_and_counted() {
    let case = begin(None, |parcel, _| {
        let body = match parcel.content {
            Content::Protobuf => export_response(2, "too old"),
            _ => b"{\"partialSuccess\":{\"rejectedSpans\":\"1\",\"errorMessage\":\"too odd\"}}".to_vec(),
        };
        Ok(Answer { status: 200, body, ..Answer::default() })
    });
    case.post(Content::Protobuf, spans(5, None), 5);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(case.progress.get().error.as_deref(), Some("too old"));
    case.post(Content::OtlpJson, "{}", 5);
    sleep(Duration::from_secs(60)).await;
    let posts = case.seen.posts.load(std::sync::atomic::Ordering::SeqCst);
    let (counts, _) = case.close().await;
    assert_eq!((counts.sent, counts.failed, posts), (7, 3, 2));
    assert_eq!(counts.error.as_deref(), Some("too odd"));
}

#[tokio::test(start_paused = true)]
async fn any_other_answer_is_final() {
    for (status, arrived) in
        [(200, true), (202, true), (301, false), (401, false), (404, false), (500, false), (501, false)]
    {
        let body = if arrived { "null" } else { "" };
        let case = begin(None, move |_, _| Ok(Answer { status, body: body.into(), ..Answer::default() }));
        case.post(Content::OtlpJson, "{}", 3);
        sleep(Duration::from_secs(600)).await;
        assert_eq!(case.seen.posts.load(std::sync::atomic::Ordering::SeqCst), 1, "{status}");
        let (counts, _) = case.close().await;
        assert_eq!((counts.sent, counts.failed), if arrived { (3, 0) } else { (0, 3) }, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_disk_what_cannot_be_sent_is_counted_as_lost_after_a_while() {
    let case = begin(None, |_, _| away());
    (0..10).for_each(|n| case.post(Content::Json, n.to_string(), 2));
    sleep(Duration::from_secs(30)).await;
    assert_eq!(case.progress.get().pending(), 20);
    sleep(Duration::from_secs(3600)).await;
    let counts = case.progress.get();
    assert_eq!((counts.failed, counts.pending()), (20, 0));
    assert_eq!(counts.error.as_deref(), Some("nobody there"));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_learns_at_once_that_it_lies_on_disk() {
    let disk = tempfile::tempdir().unwrap();
    let case = begin(Some(disk.path()), |_, _| away());
    (0..10).for_each(|n| case.post(Content::Json, n.to_string(), 1));
    case.messages.send(Message::Hurry).unwrap();
    sleep(Duration::from_millis(200)).await;
    let counts = case.progress.get();
    assert_eq!((counts.spooled, counts.pending()), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_slow_receiver_is_no_ceiling() {
    let case = begin(None, |_, _| status(200));
    (0..40).for_each(|n| case.post(Content::Json, n.to_string(), 1));
    sleep(Duration::from_millis(50 * 10 + 5)).await;
    assert_eq!(case.progress.get().sent, 40);
    assert_eq!(case.seen.most.load(std::sync::atomic::Ordering::SeqCst), UNDER_WAY);
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_when_the_process_ends_goes_to_disk() {
    let disk = tempfile::tempdir().unwrap();
    let case = begin(Some(disk.path()), |_, _| away());
    let hangs = begin(Some(disk.path()), |_, _| status(200));
    drop(case);
    // The mock takes 50 ms, so these are sent in time; those of a receiver that hangs are not.
    (0..3).for_each(|n| hangs.post(Content::Json, n.to_string(), 1));
    assert_eq!(hangs.close().await.0.sent, 3);

    let (progress, (messages, inbox)) = (Arc::<Progress>::default(), unbounded_channel());
    let mock = Mock {
        script: Mutex::new(Box::new(|_, _| status(200))),
        begun: Instant::now(),
        takes: TEN_MINUTES,
        seen: Arc::default(),
    };
    let spool = Some(Spool::open(SpoolSettings::new(disk.path().to_owned())));
    let run = tokio::spawn(Post::new("mock".into(), mock, spool, Arc::clone(&progress)).run(inbox));
    for n in 0..9 {
        let parcel = Parcel::new(
            "http://x".into(),
            None,
            Content::Json,
            vec![n].into(),
            1,
            &progress,
            &Arc::default(),
        );
        messages.send(Message::Post(parcel)).unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    drop(messages);
    run.await.unwrap();
    assert_eq!((progress.get().spooled, progress.get().pending()), (9, 0));
    let mut spool = Spool::open(SpoolSettings::new(disk.path().to_owned()));
    let bodies = std::iter::from_fn(|| {
        let (parcel, file) = spool.take()?;
        spool.remove(&file);
        Some(parcel.body[0])
    });
    let bodies: Vec<u8> = bodies.collect();
    assert_eq!(bodies, (0..9).collect::<Vec<u8>>());
}
