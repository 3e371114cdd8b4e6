-- What a person reported has no event: its event_id is empty, and reported_by says who.
alter table detection add column reported_by text;

-- What keeps detections of a rule from becoming incidents, until it ends by itself.
create table suppression (
    id text primary key,
    rule_id text not null,
    host_id text references host (id),
    owner text not null,
    reason text not null,
    created_ns bigint not null,
    created_by text not null,
    until_ns bigint not null,
    ended_ns bigint,
    ended_by text,
    count bigint not null,
    last_ns bigint
);
create index suppression_until on suppression (until_ns);

-- A detection that was suppressed belongs to no incident: this names what keeps it from one.
alter table detection add column suppression_id text references suppression (id);
