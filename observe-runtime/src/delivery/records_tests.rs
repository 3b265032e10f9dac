//! Scores and metrics, which are posted after what they may be about.

use super::*;

impl Case {
    fn spans(&self, name: &str) {
        self.post(Content::Protobuf, name, 1);
    }

    fn scores(&self, name: &str) {
        self.post(Content::Records, name, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn scores_wait_for_the_spans_before_them_and_spans_for_no_scores() {
    // The first spans need three tries.
    let mut tries = 0;
    let case = begin(None, move |parcel, _| match &*parcel.body {
        b"spans 1" => {
            tries += 1;
            if tries < 3 { status(503) } else { status(200) }
        }
        _ => status(200),
    });
    case.spans("spans 1");
    case.spans("spans 2");
    case.scores("score 1");
    case.scores("score 2");
    case.spans("spans 3");
    sleep(Duration::from_secs(120)).await;
    let (counts, bodies) = case.close().await;
    assert_eq!((counts.sent, counts.failed), (5, 0));
    let place = |name: &str| bodies.iter().position(|body| body == name).unwrap();
    for score in ["score 1", "score 2"] {
        assert!(place("spans 1") < place(score) && place("spans 2") < place(score), "{bodies:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn scores_go_to_disk_behind_the_spans_there_and_come_back_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let case =
        begin(Some(directory.path()), move |_, at| if at < TEN_MINUTES { away() } else { status(200) });
    case.spans("spans");
    sleep(Duration::from_secs(120)).await;
    case.scores("score");
    sleep(TEN_MINUTES * 2).await;
    let (counts, bodies) = case.close().await;
    assert_eq!((counts.spooled, counts.replayed, counts.failed), (2, 2, 0));
    assert_eq!(bodies, ["spans", "score"]);
}

#[tokio::test(start_paused = true)]
async fn one_bad_score_of_many_costs_itself_only() {
    for around in [("[", "]"), ("{\"data\":[", "]}")] {
        let case = begin(None, |parcel, _| {
            if parcel.body.windows(3).any(|text| text == b"bad") { status(400) } else { status(200) }
        });
        let items: Vec<_> =
            (0..9).map(|n| if n == 5 { "\"bad\"".to_owned() } else { n.to_string() }).collect();
        let body = format!("{}{}{}", around.0, items.join(","), around.1);
        case.post(Content::Records, body, 9);
        sleep(Duration::from_secs(120)).await;
        let (counts, bodies) = case.close().await;
        assert_eq!((counts.sent, counts.failed), (8, 1));
        assert!(
            bodies.iter().all(|body| body.starts_with(around.0) && body.ends_with(around.1)),
            "{bodies:?}"
        );
        let mut arrived: Vec<_> =
            bodies.iter().flat_map(|b| b.chars().filter(char::is_ascii_digit)).collect();
        arrived.sort_unstable();
        assert_eq!(arrived.iter().collect::<String>(), "01234678");
    }
}
