//! Scores and metrics: what is recorded beside spans.

use observe_model::{Metric, Number, Record, Score, ScoreValue, SpanId, Target, Timestamp, TraceId};
use observe_wire::journal::entry::Kind;
use serde::Serialize;

use crate::{capture, context, ids, journal::Draft, report::Once, span, switch};

/// A judgement on the current trace, to be completed and [recorded](NewScore::record).
///
/// `value` is a number, `true` or `false`, or the name of a category; free text is [`ScoreValue::Text`].
///
/// ```
/// use observe_runtime::{ScoreValue, TraceId, score};
/// score("quality", 0.9).comment("answers the question").record();
/// score("helpful", true).author("ada").on_trace(TraceId::from_seed("request 42")).record();
/// score("tone", "friendly").on_session("conversation-1").record();
/// score("remark", ScoreValue::Text("could be shorter".to_owned())).record();
/// ```
#[doc(alias = "feedback")]
#[doc(alias = "annotation")]
pub fn score(name: impl Into<String>, value: impl Into<ScoreValue>) -> NewScore {
    let score = switch::wants_scores()
        .then(|| Box::new(Score { name: name.into(), value: value.into(), ..Score::default() }));
    NewScore { score, aim: None }
}

/// A named number, to be completed and [recorded](NewMetric::record) with the current span.
///
/// ```
/// use observe_runtime::metric;
/// metric("greeting_chars", "hello".len()).unit("chars").tag("chat").persist().record();
/// ```
#[doc(alias = "log_metric")]
pub fn metric(name: impl Into<String>, value: impl Into<Number>) -> NewMetric {
    let metric = switch::is_on()
        .then(|| Box::new(Metric { name: name.into(), value: value.into().0, ..Metric::default() }));
    NewMetric { metric, aim: None, persist: false }
}

/// The methods that say what a score or metric is about.
macro_rules! aims {
    () => {
        /// About this trace, instead of the current one. It may be of another process, or long over.
        pub fn on_trace(mut self, id: TraceId) -> Self {
            self.aim = Some(Target { trace_id: Some(id), ..Target::default() });
            self
        }

        /// About this span of this trace.
        pub fn on_span(mut self, trace: TraceId, span: SpanId) -> Self {
            self.aim = Some(Target { trace_id: Some(trace), span_id: Some(span), session: None });
            self
        }

        /// About this session as a whole.
        pub fn on_session(mut self, id: impl Into<String>) -> Self {
            self.aim = Some(Target { session: Some(id.into()), ..Target::default() });
            self
        }
    };
}

/// A score that is not recorded yet; made by [`score`].
#[derive(Debug)]
#[must_use = "nothing is recorded until `record`"]
pub struct NewScore {
    /// `None` while nothing is recorded.
    score: Option<Box<Score>>,
    aim: Option<Target>,
}

impl NewScore {
    aims!();

    /// About the current span, instead of the whole trace.
    pub fn on_current_span(mut self) -> Self {
        self.aim = here();
        self
    }

    /// Why.
    pub fn comment(self, comment: impl Into<String>) -> Self {
        self.with(|score| score.comment = Some(comment.into()))
    }

    /// What would have been right: any value.
    pub fn correction(self, correction: impl Serialize) -> Self {
        self.with(|score| score.correction = Some(capture::to_json(&correction)))
    }

    /// Adds metadata under `name`.
    pub fn metadata(self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.with(|score| {
            let name = name.into();
            let value =
                if capture::is_secret(&name) { "[redacted]".into() } else { capture::to_value(&value) };
            score.metadata.insert(name, value);
        })
    }

    /// Who judged: a person, a model, a test.
    pub fn author(self, author: impl Into<String>) -> Self {
        self.with(|score| score.author = Some(author.into()))
    }

    /// Its id, by which it can be given again and replaces what it was. Without it each score is one more.
    pub fn id(self, id: impl Into<String>) -> Self {
        self.with(|score| score.id = id.into())
    }

    /// Records it: about what was named, else about the current trace, else about the current session.
    ///
    /// Before `init` this does nothing; outside of any trace and session, and with none named, it says so on stderr.
    pub fn record(self) {
        static NOT_FINITE: Once = Once::new();
        static NOTHING: Once = Once::new();
        let Some(mut score) = self.score else { return };
        let whole =
            |here: Target| if here.trace_id.is_some() { Target { span_id: None, ..here } } else { here };
        let Some(target) = self.aim.or_else(|| here().map(whole)) else { return };
        if target == Target::default() {
            return NOTHING.say("a score that is about no trace and no session is not kept");
        }
        if let ScoreValue::Numeric(number) = score.value
            && !number.is_finite()
        {
            NOT_FINITE.say("a score that is no finite number is kept as text");
            score.value = ScoreValue::Text(number.to_string());
        }
        (score.target, score.at) = (target, Timestamp::now());
        if score.id.is_empty() {
            score.id = new_id();
        }
        write(&Record::Score(*score));
    }

    fn with(mut self, set: impl FnOnce(&mut Score)) -> Self {
        if let Some(score) = &mut self.score {
            set(score);
        }
        self
    }
}

/// A metric that is not recorded yet; made by [`metric`].
#[derive(Debug)]
#[must_use = "nothing is recorded until `record`"]
pub struct NewMetric {
    /// `None` while nothing is recorded.
    metric: Option<Box<Metric>>,
    aim: Option<Target>,
    persist: bool,
}

impl NewMetric {
    aims!();

    /// The unit of the number: `chars`, `ms`, `EUR`.
    pub fn unit(self, unit: impl Into<String>) -> Self {
        self.with(|metric| metric.unit = Some(unit.into()))
    }

    /// Adds a tag, unless it is there already.
    pub fn tag(self, tag: impl Into<String>) -> Self {
        self.with(|metric| {
            let tag = tag.into();
            if !metric.tags.contains(&tag) {
                metric.tags.push(tag);
            }
        })
    }

    /// Adds tags, in order, none twice.
    pub fn tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        tags.into_iter().fold(self, Self::tag)
    }

    /// Keeps it as a record of its own, which can be asked for and added up, and not only as an event of its span.
    pub fn persist(mut self) -> Self {
        self.persist = true;
        self
    }

    /// Its id, by which a metric that is kept can be given again and replaces what it was.
    pub fn id(self, id: impl Into<String>) -> Self {
        self.with(|metric| metric.id = id.into())
    }

    /// Records it: as an event of the current span; as a record of its own if it is to [persist](Self::persist), or about
    /// something that was named.
    ///
    /// Before `init` this does nothing. A number that is not finite is kept as the event alone, as text.
    pub fn record(self) {
        static NOT_FINITE: Once = Once::new();
        let Some(mut metric) = self.metric else { return };
        let Some(here) = here() else { return };
        if self.aim.is_none() {
            note(&metric);
        }
        if !self.persist && self.aim.is_none() {
            return;
        }
        if !metric.value.is_finite() {
            return NOT_FINITE
                .say("a metric that is no finite number cannot be added up and is not kept as a record");
        }
        (metric.target, metric.at) = (self.aim.unwrap_or(here), Timestamp::now());
        if metric.id.is_empty() {
            metric.id = new_id();
        }
        write(&Record::Metric(*metric));
    }

    fn with(mut self, set: impl FnOnce(&mut Metric)) -> Self {
        if let Some(metric) = &mut self.metric {
            set(metric);
        }
        self
    }
}

/// Leaves a metric with the current span.
fn note(metric: &Metric) {
    #[derive(Serialize)]
    struct Attributes<'a> {
        #[serde(rename = "metric.value")]
        value: f64,
        #[serde(rename = "metric.unit", skip_serializing_if = "Option::is_none")]
        unit: &'a Option<String>,
        #[serde(rename = "metric.tags", skip_serializing_if = "<[_]>::is_empty")]
        tags: &'a [String],
    }
    let Metric { name, value, unit, tags, .. } = metric;
    span::current_span().event(name, Attributes { value: *value, unit, tags });
}

/// What the calling code runs in: span, trace and session, as far as there are any; `None` where nothing is to be recorded.
fn here() -> Option<Target> {
    let context = context::here();
    if context.is_left_out() {
        return None;
    }
    let session = context::current_stamp().and_then(|stamp| stamp.attributes.session.clone());
    Some(Target { trace_id: context.trace(), span_id: span::current_span_id(), session })
}

fn new_id() -> String {
    ids::trace_id().to_string()
}

/// Writes a record to the journal, where it survives a crash as spans do.
fn write(record: &Record) {
    let Ok(json) = serde_json::to_vec(record) else { return };
    // What is not written is counted where it is lost.
    let _ = Draft::write::<8, _>(Kind::Record, 0, |mut draft| {
        draft.put(&json);
        draft.commit((Kind::Record, 0), true, [0]);
    });
}
