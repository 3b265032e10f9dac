-- What was said of spans and traces beyond what nearly every one has; scores and metrics.
ALTER TABLE spans ADD COLUMN cost_input REAL;
ALTER TABLE spans ADD COLUMN cost_output REAL;
ALTER TABLE spans ADD COLUMN details_head TEXT;
ALTER TABLE spans ADD COLUMN details_hash BLOB;
ALTER TABLE spans ADD COLUMN trace_name TEXT;
ALTER TABLE spans ADD COLUMN trace_version TEXT;
ALTER TABLE spans ADD COLUMN trace_release TEXT;
ALTER TABLE spans ADD COLUMN trace_environment TEXT;
ALTER TABLE spans ADD COLUMN trace_public INTEGER;
ALTER TABLE spans ADD COLUMN said_ns INTEGER;
ALTER TABLE spans ADD COLUMN said_failed TEXT;
ALTER TABLE spans ADD COLUMN said_input_head TEXT;
ALTER TABLE spans ADD COLUMN said_output_head TEXT;

ALTER TABLE traces ADD COLUMN version TEXT;
ALTER TABLE traces ADD COLUMN release TEXT;
ALTER TABLE traces ADD COLUMN environment TEXT;
ALTER TABLE traces ADD COLUMN public INTEGER;

CREATE TABLE scores (
    project    TEXT NOT NULL,
    id         TEXT NOT NULL,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    number     REAL,
    text       TEXT,
    trace_id   BLOB,
    span_id    BLOB,
    session    TEXT,
    at_ns      INTEGER NOT NULL,
    comment    TEXT,
    correction TEXT,
    metadata   TEXT,
    author     TEXT,
    PRIMARY KEY (project, id)
);
CREATE INDEX scores_by_time ON scores (at_ns, id);
CREATE INDEX scores_by_trace ON scores (trace_id, at_ns, id);
CREATE INDEX scores_by_session ON scores (session, at_ns, id);

CREATE TABLE metrics (
    project  TEXT NOT NULL,
    id       TEXT NOT NULL,
    name     TEXT NOT NULL,
    value    REAL NOT NULL,
    unit     TEXT,
    tags     TEXT,
    trace_id BLOB,
    span_id  BLOB,
    session  TEXT,
    at_ns    INTEGER NOT NULL,
    PRIMARY KEY (project, id)
);
CREATE INDEX metrics_by_time ON metrics (at_ns, id);
CREATE INDEX metrics_by_trace ON metrics (trace_id, at_ns, id);
CREATE INDEX metrics_by_session ON metrics (session, at_ns, id);
