-- What every table, column and index means: docs/STORE.md, held to this file by a test.
PRAGMA application_id = 0x4f627376; -- "Obsv"

CREATE TABLE spans (
    trace_id           BLOB NOT NULL,
    span_id            BLOB NOT NULL,
    parent_id          BLOB,
    project            TEXT NOT NULL,
    service            TEXT NOT NULL,
    release            TEXT,
    environment        TEXT,
    name               TEXT NOT NULL,
    span_type          TEXT NOT NULL,
    status             TEXT NOT NULL,
    status_message     TEXT,
    level              TEXT NOT NULL,
    start_ns           INTEGER NOT NULL,
    end_ns             INTEGER,
    input_head         TEXT,
    input_hash         BLOB,
    output_head        TEXT,
    output_hash        BLOB,
    metadata           TEXT,
    session            TEXT,
    user               TEXT,
    tags               TEXT,
    trace_metadata     TEXT,
    model              TEXT,
    usage_input        INTEGER,
    usage_cache_read   INTEGER,
    usage_cache_write  INTEGER,
    usage_input_audio  INTEGER,
    usage_output       INTEGER,
    usage_reasoning    INTEGER,
    usage_output_audio INTEGER,
    cost               REAL,
    version            TEXT,
    function           TEXT,
    file               TEXT,
    line               INTEGER,
    PRIMARY KEY (trace_id, span_id)
);

CREATE TABLE payloads (
    hash     BLOB NOT NULL PRIMARY KEY,
    encoding TEXT NOT NULL,
    body     BLOB NOT NULL
);

CREATE TABLE traces (
    trace_id           BLOB NOT NULL PRIMARY KEY,
    project            TEXT NOT NULL,
    name               TEXT NOT NULL,
    session            TEXT,
    user               TEXT,
    tags               TEXT,
    status             TEXT NOT NULL,
    status_message     TEXT,
    start_ns           INTEGER NOT NULL,
    last_ns            INTEGER NOT NULL,
    input_head         TEXT,
    output_head        TEXT,
    spans              INTEGER NOT NULL,
    errors             INTEGER NOT NULL,
    warnings           INTEGER NOT NULL,
    usage_input        INTEGER,
    usage_cache_read   INTEGER,
    usage_cache_write  INTEGER,
    usage_input_audio  INTEGER,
    usage_output       INTEGER,
    usage_reasoning    INTEGER,
    usage_output_audio INTEGER,
    cost               REAL
);
CREATE INDEX traces_by_start ON traces (start_ns, trace_id);
CREATE INDEX traces_by_project ON traces (project, start_ns, trace_id);
CREATE INDEX traces_by_status ON traces (status, start_ns, trace_id);
CREATE INDEX traces_by_session ON traces (session, start_ns, trace_id) WHERE session IS NOT NULL;

CREATE TABLE sessions (
    project            TEXT NOT NULL,
    session            TEXT NOT NULL,
    user               TEXT,
    traces             INTEGER NOT NULL,
    failed_traces      INTEGER NOT NULL,
    start_ns           INTEGER NOT NULL,
    last_ns            INTEGER NOT NULL,
    active_ns          INTEGER NOT NULL,
    input_head         TEXT,
    output_head        TEXT,
    spans              INTEGER NOT NULL,
    errors             INTEGER NOT NULL,
    warnings           INTEGER NOT NULL,
    usage_input        INTEGER,
    usage_cache_read   INTEGER,
    usage_cache_write  INTEGER,
    usage_input_audio  INTEGER,
    usage_output       INTEGER,
    usage_reasoning    INTEGER,
    usage_output_audio INTEGER,
    cost               REAL,
    PRIMARY KEY (project, session)
);
CREATE INDEX sessions_by_last ON sessions (last_ns, project, session);
CREATE INDEX sessions_by_project ON sessions (project, last_ns, session);
CREATE INDEX sessions_by_session ON sessions (session, last_ns);
