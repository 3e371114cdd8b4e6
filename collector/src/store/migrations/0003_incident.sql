-- What people say of an incident, what it spans, what is to be done, and which gates were passed.
alter table incident add column verdict text;
alter table incident add column verdict_reason text;
alter table incident add column verdict_by text;
alter table incident add column lead text;
-- Who set the severity: what is detected later does not raise it then.
alter table incident add column severity_by text;
alter table incident add column watch_from_ns bigint;
alter table incident add column watch_until_ns bigint;
alter table incident add column closed_ns bigint;
alter table incident add column closed_by text;
alter table incident add column closed_reason text;

-- Hosts in scope; a machine without an agent has a name alone. A declaration counts once it is confirmed.
create table incident_host (
    incident_id text not null references incident (id),
    number bigint not null,
    name text not null,
    host_id text references host (id),
    agent_id text references agent (id),
    added_ns bigint not null,
    added_by text not null,
    why text not null,
    declaration text,
    evidence text,
    declared_by text,
    confirmed_by text,
    primary key (incident_id, number)
);
create unique index incident_host_agent on incident_host (incident_id, agent_id);
create index incident_host_of on incident_host (agent_id);

insert into incident_host (incident_id, number, name, host_id, agent_id, added_ns, added_by, why)
select incident.id, 1, host.name, incident.host_id, incident.agent_id, incident.opened_ns, 'collector',
    'its detection opened the incident'
from incident join host on host.id = incident.host_id;

-- The phases that a host has of its own; what has no row is pending.
create table incident_host_phase (
    incident_id text not null,
    host_number bigint not null,
    phase text not null,
    state text not null,
    since_ns bigint not null,
    primary key (incident_id, host_number, phase),
    foreign key (incident_id, host_number) references incident_host (incident_id, number)
);

-- What a process that a detection is about descends from, as far as its launch told.
create table incident_kin (
    incident_id text not null references incident (id),
    process_uid text not null,
    ancestor_uid text not null,
    primary key (incident_id, process_uid, ancestor_uid)
);

create table incident_indicator (
    incident_id text not null references incident (id),
    kind text not null,
    value text not null,
    seen_ns bigint not null,
    added_by text not null,
    why text not null,
    primary key (incident_id, kind, value)
);
create index incident_indicator_value on incident_indicator (kind, value);

create table incident_task (
    incident_id text not null references incident (id),
    number bigint not null,
    kind text not null,
    title text not null,
    owner text,
    due_ns bigint,
    done_ns bigint,
    done_by text,
    created_ns bigint not null,
    created_by text not null,
    primary key (incident_id, number)
);

-- Rows are never changed or removed.
create table incident_passage (
    incident_id text not null references incident (id),
    number bigint not null,
    phase text not null,
    is_override integer not null,
    at_ns bigint not null,
    by_whom text not null,
    text text not null,
    primary key (incident_id, number)
);
