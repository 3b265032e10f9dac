-- How many spans of a trace or session are of level debug.
ALTER TABLE traces ADD COLUMN debugs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN debugs INTEGER NOT NULL DEFAULT 0;

UPDATE traces SET debugs =
    (SELECT count(*) FROM spans WHERE spans.trace_id = traces.trace_id AND level = 'debug');
UPDATE sessions SET debugs =
    (SELECT coalesce(sum(debugs), 0) FROM traces
     WHERE traces.project = sessions.project AND traces.session = sessions.session);
