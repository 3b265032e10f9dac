-- How many spans the journal had no room for, below each span and in all of a trace or session.
ALTER TABLE spans ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE traces ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
