-- Forensic snapshots: one for each command that asked for one. `manifest` is what the agent signed; the
-- container lies under the evidence folder, named by the id, once `state` is `held`.
create table evidence (
    id text primary key,
    command_id text not null unique references command (id),
    incident_id text references incident (id),
    agent_id text not null references agent (id),
    host_id text not null references host (id),
    state text not null,
    manifest bytea not null,
    sha256 text not null,
    size_bytes bigint not null,
    taken_ns bigint not null,
    sealed_ns bigint not null,
    offered_ns bigint not null,
    received_ns bigint
);
create index evidence_incident on evidence (incident_id);
create index evidence_agent on evidence (agent_id);

-- Who had what in their hands is asked by object.
create index audit_object on audit (object);
