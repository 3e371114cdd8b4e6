-- The command whose hold a command ends: the one of a release. It need not be here: a restored backup
-- has forgotten it.
alter table command add column releases_id text;
