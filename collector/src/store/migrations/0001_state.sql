-- The first schema, in the dialect that SQLite and PostgreSQL share: TEXT, BIGINT, INTEGER (0/1), BYTEA.
-- Ids are hyphenated UUIDs (version 7, so they sort by age), digests hexadecimal, times nanoseconds
-- since 1970 in columns that end in _ns. Lists that no query looks into are JSON texts.

create table host (
    id text primary key,
    name text not null,
    machine_id text not null,
    os text not null,
    kernel text not null,
    architecture text not null,
    tier text not null,
    labels text not null,
    created_ns bigint not null
);
create index host_name on host (name);

create table token (
    id text primary key,
    secret_sha256 text not null,
    uses_max bigint not null,
    uses bigint not null,
    networks text not null,
    labels text not null,
    tier text not null,
    is_approved integer not null,
    created_ns bigint not null,
    created_by text not null,
    expires_ns bigint not null,
    revoked_ns bigint
);

create table agent (
    id text primary key,
    host_id text not null references host (id),
    token_id text not null references token (id),
    standing text not null,
    receipt_key text not null,
    version text not null,
    boot_id text,
    sensors text not null,
    enrolled_ns bigint not null,
    decided_ns bigint,
    decided_by text,
    last_seen_ns bigint
);
create index agent_host on agent (host_id);

create table certificate (
    serial text primary key,
    agent_id text not null references agent (id),
    not_before_ns bigint not null,
    not_after_ns bigint not null
);
create index certificate_agent on certificate (agent_id);

create table api_token (
    id text primary key,
    secret_sha256 text not null unique,
    principal text not null,
    role text not null,
    created_ns bigint not null,
    created_by text not null,
    expires_ns bigint not null,
    revoked_ns bigint
);

-- Rows are never changed or removed. `sha256` covers the row and `previous_sha256`.
create table audit (
    number bigint primary key,
    at_ns bigint not null,
    principal text not null,
    action text not null,
    object text not null,
    detail text not null,
    previous_sha256 text not null,
    sha256 text not null
);

create table incident (
    id text primary key,
    title text not null,
    severity text not null,
    state text not null,
    host_id text not null references host (id),
    agent_id text not null references agent (id),
    opened_ns bigint not null,
    updated_ns bigint not null
);
create index incident_open on incident (state, agent_id);

create table incident_phase (
    incident_id text not null references incident (id),
    phase text not null,
    state text not null,
    since_ns bigint not null,
    primary key (incident_id, phase)
);

-- The processes that an incident is about, and those that they descend from.
create table incident_process (
    incident_id text not null references incident (id),
    process_uid text not null,
    is_subject integer not null,
    primary key (incident_id, process_uid)
);
create index incident_process_uid on incident_process (process_uid);

-- Rows are never changed or removed (IN-2).
create table incident_entry (
    incident_id text not null references incident (id),
    number bigint not null,
    at_ns bigint not null,
    recorded_ns bigint not null,
    kind text not null,
    actor text not null,
    text text not null,
    object text not null,
    primary key (incident_id, number)
);

create table detection (
    id text primary key,
    rule_id text not null,
    rule_sha256 text not null,
    title text not null,
    severity text not null,
    techniques text not null,
    agent_id text not null references agent (id),
    host_id text not null references host (id),
    incident_id text references incident (id),
    event_id text not null,
    process_uid text,
    summary text not null,
    count bigint not null,
    first_ns bigint not null,
    last_ns bigint not null,
    created_ns bigint not null
);
create index detection_incident on detection (incident_id);
create index detection_repeat on detection (rule_id, agent_id, process_uid);

-- Which event made which detection count: a second derivation of the same pair changes nothing.
create table detection_event (
    rule_id text not null,
    event_id text not null,
    detection_id text not null references detection (id),
    primary key (rule_id, event_id)
);
create index detection_event_detection on detection_event (detection_id);

create table command (
    id text primary key,
    incident_id text references incident (id),
    detection_id text references detection (id),
    agent_id text not null references agent (id),
    host_id text not null references host (id),
    action text not null,
    summary text not null,
    state text not null,
    delivery bytea not null,
    issued_by text not null,
    issued_ns bigint not null,
    expires_ns bigint not null,
    sent_ns bigint,
    seen_ns bigint,
    closed_ns bigint,
    verdict text,
    detail text,
    receipt bytea,
    receipt_event_id text
);
create index command_incident on command (incident_id);
create index command_agent on command (agent_id, state);
create index command_detection on command (detection_id);

-- What still has to reach an agent: a row goes when its command is closed.
create table outbox (
    command_id text primary key references command (id),
    agent_id text not null references agent (id),
    due_ns bigint not null,
    attempts bigint not null
);
create index outbox_due on outbox (due_ns);

create table position (
    name text primary key,
    value bigint not null
);

create table keyring (
    number bigint primary key,
    signed bytea not null,
    installed_ns bigint not null,
    installed_by text not null
);
