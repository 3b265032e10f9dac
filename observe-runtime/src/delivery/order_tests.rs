//! Requests that come in order, with a virtual clock too.

use std::sync::atomic::Ordering::SeqCst;

use super::*;

/// The trace that a test calls `name`.
fn trace(name: &str) -> TraceId {
    TraceId::from_seed(name)
}

impl Case {
    /// Posts the number `n` of the trace; its body says both.
    fn step(&self, name: &str, n: usize) {
        let order = Some(Order::of(trace(name)));
        self.send("http://x/{trace}", order, Content::Json, format!("{name} {n}").into(), 1);
    }
}

/// The numbers that arrived of each trace, as they came.
fn by_trace(bodies: &[String]) -> BTreeMap<String, Vec<usize>> {
    let mut traces = BTreeMap::<_, Vec<_>>::new();
    for body in bodies {
        let (name, n) = body.split_once(' ').unwrap();
        traces.entry(name.to_owned()).or_default().push(n.parse().unwrap());
    }
    traces
}

fn all_in_order(bodies: &[String], traces: usize, each: usize) {
    let found = by_trace(bodies);
    assert_eq!(found.len(), traces);
    for (name, numbers) in found {
        assert_eq!(numbers, (0..each).collect::<Vec<_>>(), "{name}");
    }
}

fn posts(case: &Case) -> usize {
    case.seen.posts.load(SeqCst)
}

#[tokio::test(start_paused = true)]
async fn one_request_of_a_trace_is_under_way_and_several_traces_are() {
    let case = begin(None, |_, _| status(200));
    for n in 0..10 {
        ["a", "b", "c", "d", "e"].iter().for_each(|name| case.step(name, n));
    }
    // Of one trace alone, each waits for the answer to the one before: 50 ms.
    sleep(Duration::from_millis(50 * 13 + 5)).await;
    assert_eq!(case.progress.get().sent, 50);
    assert_eq!(case.seen.most.load(SeqCst), UNDER_WAY);
    case.step("a", 10);
    case.step("a", 11);
    sleep(Duration::from_millis(60)).await;
    assert_eq!(posts(&case), 52, "the last one is under way, alone");
    assert_eq!(case.seen.under_way.load(SeqCst), 1);
    let bodies = case.close().await.1;
    let numbers = &by_trace(&bodies)["a"];
    assert!(numbers.is_sorted() && numbers.len() == 12, "{numbers:?}");
}

#[tokio::test(start_paused = true)]
async fn every_third_answer_failing_changes_neither_order_nor_number() {
    let (disk, mut count) = (tempfile::tempdir().unwrap(), 0);
    let case = begin(Some(disk.path()), move |_, _| {
        count += 1;
        if count % 3 == 0 { away() } else { status(200) }
    });
    for n in 0..20 {
        ["a", "b", "c"].iter().for_each(|name| case.step(name, n));
    }
    sleep(TEN_MINUTES).await;
    let (counts, bodies) = case.close().await;
    all_in_order(&bodies, 3, 20);
    assert_eq!((counts.sent + counts.replayed, counts.failed, counts.pending()), (60, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_of_absence_keep_every_trace_in_order() {
    let disk = tempfile::tempdir().unwrap();
    let case = begin(Some(disk.path()), |_, at| if at < TEN_MINUTES { away() } else { status(200) });
    // The last ones come while those before are sent from disk.
    for n in 0..300 {
        ["a", "b", "c"].iter().for_each(|name| case.step(name, n));
        sleep(Duration::from_secs(3)).await;
    }
    sleep(Duration::from_secs(120)).await;
    let (counts, bodies) = case.close().await;
    all_in_order(&bodies, 3, 300);
    assert_eq!((counts.accepted, counts.sent + counts.replayed, counts.failed), (900, 900, 0));
    assert!(counts.replayed > 500 && counts.sent > 0, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_newer_requests_wait_for_those_on_disk_of_the_same_trace_only() {
    let disk = tempfile::tempdir().unwrap();
    let case = begin(Some(disk.path()), |_, _| away());
    (0..30).for_each(|n| case.step("a", n));
    sleep(Duration::from_secs(2)).await;
    let (counts, bodies) = case.close().await;
    assert_eq!((counts.spooled, counts.failed, bodies.len()), (30, 0, 0));

    let case = begin(Some(disk.path()), |_, _| status(200));
    for n in 0..10 {
        case.step("a", 30 + n);
        case.step("b", n);
    }
    sleep(Duration::from_secs(60)).await;
    let (counts, bodies) = case.close().await;
    let found = by_trace(&bodies);
    assert_eq!(found["a"], (0..40).collect::<Vec<_>>());
    assert_eq!(found["b"], (0..10).collect::<Vec<_>>());
    let last_of_b = bodies.iter().position(|body| body == "b 9").unwrap();
    assert!(last_of_b < 30, "{last_of_b}: another trace does not wait");
    assert_eq!((counts.replayed, counts.sent, counts.spooled), (40, 10, 10));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_turn_when_the_process_ends_goes_to_disk_in_order() {
    let disk = tempfile::tempdir().unwrap();
    let case = begin(Some(disk.path()), |_, _| status(200));
    (0..100).for_each(|n| case.step("a", n));
    // One takes 50 ms, and there is a second.
    let (counts, first) = case.close().await;
    assert!(counts.sent > 10 && counts.spooled > 10 && counts.pending() == 0, "{counts:?}");
    let case = begin(Some(disk.path()), |_, _| status(200));
    sleep(Duration::from_secs(60)).await;
    let (_, rest) = case.close().await;
    let numbers = by_trace(&[first, rest].concat()).remove("a").unwrap();
    // What was under way may have arrived before it was cut off.
    let mut once = numbers.clone();
    once.dedup();
    assert_eq!(once, (0..100).collect::<Vec<_>>());
    assert!(numbers.len() <= 101);
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_is_set_aside_and_the_next_goes_on() {
    let disk = tempfile::tempdir().unwrap();
    let case = begin(Some(disk.path()), |parcel, _| match &parcel.body[..] {
        b"a 3" => Ok(Answer { status: 400, body: b"bad".to_vec(), ..Answer::default() }),
        _ => status(200),
    });
    (0..10).for_each(|n| case.step("a", n));
    sleep(Duration::from_secs(5)).await;
    let (counts, bodies) = case.close().await;
    assert_eq!(by_trace(&bodies)["a"], [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    assert_eq!((counts.sent, counts.failed, counts.pending()), (9, 1, 0));
    let error = counts.error.unwrap();
    assert!(error.contains("answered 400: bad") && error.contains("kept in "), "{error}");
}

/// Answers as a receiver that names traces itself, and notes the addresses of the rest.
fn names_traces(
    urls: &Arc<Mutex<Vec<String>>>,
) -> impl FnMut(&Parcel, Duration) -> Result<Answer, Lost> + use<> {
    let urls = Arc::clone(urls);
    move |parcel, _| {
        if parcel.order.is_some_and(|order| order.names) {
            let body = br#"{"id":"srv-1"}"#.to_vec();
            return Ok(Answer { status: 200, body, ..Answer::default() });
        }
        urls.lock().unwrap().push(parcel.url.to_string());
        status(200)
    }
}

fn create(case: &Case, name: &str) {
    let order = Order { trace: trace(name), names: true };
    case.send("http://x", Some(order), Content::Json, format!("{name} 0").into(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_request_says_where_the_next_ones_go() {
    let urls = Arc::default();
    let case = begin(None, names_traces(&urls));
    create(&case, "a");
    case.step("a", 1);
    case.step("b", 0);
    sleep(Duration::from_secs(1)).await;
    case.step("a", 2);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(by_trace(&case.close().await.1)["a"], [0, 1, 2]);
    let b = format!("http://x/{}", trace("b"));
    let mut urls = urls.lock().unwrap().clone();
    urls.sort();
    assert_eq!(urls, [b, "http://x/srv-1".to_owned(), "http://x/srv-1".to_owned()]);
}

#[tokio::test(start_paused = true)]
async fn a_name_survives_restarts() {
    // The process ends before the trace is known, and again when some of it is sent.
    let disk = tempfile::tempdir().unwrap();
    let case = begin(Some(disk.path()), |_, _| away());
    create(&case, "a");
    (1..60).for_each(|n| case.step("a", n));
    case.close().await;
    let (urls, mut bodies) = (Arc::default(), Vec::new());
    let case = begin(Some(disk.path()), names_traces(&urls));
    sleep(Duration::from_secs(2)).await;
    bodies.extend(case.close().await.1);
    assert!(bodies.len() > 2 && bodies.len() < 50, "{}", bodies.len());
    let case = begin(Some(disk.path()), names_traces(&urls));
    sleep(Duration::from_secs(60)).await;
    bodies.extend(case.close().await.1);
    // What was under way when the process ended is sent again.
    bodies.dedup();
    all_in_order(&bodies, 1, 60);
    assert!(urls.lock().unwrap().iter().all(|url| url == "http://x/srv-1"));

    // The trace is known, and then the receiver goes away.
    let disk = tempfile::tempdir().unwrap();
    let case = begin(Some(disk.path()), |parcel, at| match at < Duration::from_secs(1) {
        true => names_traces(&Arc::default())(parcel, at),
        false => away(),
    });
    create(&case, "a");
    sleep(Duration::from_secs(2)).await;
    (1..4).for_each(|n| case.step("a", n));
    assert_eq!(case.close().await.0.spooled, 3);
    let urls = Arc::default();
    let case = begin(Some(disk.path()), names_traces(&urls));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(by_trace(&case.close().await.1)["a"], [1, 2, 3]);
    assert_eq!(*urls.lock().unwrap(), ["http://x/srv-1"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_trace_that_the_receiver_does_not_know_ends_and_the_others_do_not() {
    let disk = tempfile::tempdir().unwrap();
    let case = begin(Some(disk.path()), |parcel, _| match &parcel.body[..] {
        b"a 2" => status(404),
        _ => status(200),
    });
    for n in 0..10 {
        ["a", "b"].iter().for_each(|name| case.step(name, n));
    }
    sleep(Duration::from_secs(5)).await;
    case.step("a", 10);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(posts(&case), 13);
    let (counts, bodies) = case.close().await;
    let found = by_trace(&bodies);
    assert_eq!((&found["a"][..], found["b"].len()), (&[0, 1][..], 10));
    assert_eq!((counts.sent, counts.failed, counts.pending()), (12, 9, 0));
    assert!(counts.error.unwrap().contains("its receiver knows no such trace"));
}
