-- The first shape of the catalog. Text, bigint and integer keys only, so that PostgreSQL can hold
-- the same; instants are milliseconds since 1970, flags are 0 or 1.

create table firm (
    id integer primary key autoincrement,
    slug text not null unique,
    name text not null,
    language text not null,
    default_device_id bigint,
    -- Moves with every change of a dossier, link or device, so that a tree in memory knows its age.
    version bigint not null default 0,
    -- The last event: its place in the order, and its hash, which the next one continues.
    event_seq bigint not null default 0,
    event_hash text not null default '',
    added_at bigint not null
);

create table dossier (
    id integer primary key autoincrement,
    firm_id bigint not null references firm (id),
    name text not null,
    -- The day (yyyymmdd) and number of the last file name; both only grow, so no name is used twice.
    name_day bigint not null default 0,
    name_seq bigint not null default 0,
    added_at bigint not null,
    removed_at bigint
);
create index dossier_firm on dossier (firm_id);

create table dossier_identifier (
    firm_id bigint not null references firm (id),
    key text not null,
    dossier_id bigint not null references dossier (id),
    raw text not null,
    rank bigint not null,
    primary key (firm_id, key)
);
create index dossier_identifier_dossier on dossier_identifier (dossier_id);

create table device (
    id integer primary key autoincrement,
    firm_id bigint not null references firm (id),
    name text not null,
    kind text not null,
    password_hash text,
    added_at bigint not null,
    removed_at bigint
);
create unique index device_name on device (firm_id, name) where removed_at is null;

create table device_key (
    device_id bigint not null references device (id),
    fingerprint text not null,
    public_key text not null,
    comment text not null,
    added_at bigint not null,
    primary key (device_id, fingerprint)
);

create table link (
    id integer primary key autoincrement,
    firm_id bigint not null references firm (id),
    dossier_id bigint not null references dossier (id),
    profile text not null,
    code text not null,
    code_key text not null,
    language text not null,
    device_id bigint references device (id),
    transfer text not null,
    added_at bigint not null,
    removed_at bigint
);
create unique index link_code on link (firm_id, profile, code_key) where removed_at is null;
create index link_dossier on link (dossier_id);

create table session (
    id integer primary key autoincrement,
    firm_id bigint not null references firm (id),
    device_id bigint not null references device (id),
    address text not null,
    software text not null,
    credential text not null,
    started_at bigint not null,
    ended_at bigint
);
create index session_device on session (device_id);

create table document (
    id integer primary key autoincrement,
    firm_id bigint not null references firm (id),
    -- The original bytes, and what is delivered: the same, but for a document in an envelope.
    digest text not null,
    bytes bigint not null,
    content_digest text not null,
    content_bytes bigint not null,
    -- By which a second copy is known: the envelope's sender and instance; seller, number, date, kind.
    envelope_key text,
    business_key text,
    -- What two documents have alike that read the same, their envelopes apart.
    reading_key text not null,
    reading text not null,
    source text not null,
    received_at bigint not null,
    quarantined text
);
create unique index document_digest on document (firm_id, digest);
create index document_content on document (firm_id, content_digest);
create index document_envelope on document (firm_id, envelope_key);
create index document_business on document (firm_id, business_key);

create table delivery (
    id integer primary key autoincrement,
    firm_id bigint not null references firm (id),
    document_id bigint not null references document (id),
    dossier_id bigint references dossier (id),
    link_id bigint references link (id),
    device_id bigint references device (id),
    flow text,
    generation bigint not null,
    -- 1 for the last generation, which is the one a device sees.
    current bigint not null,
    state text not null,
    reason text,
    -- Why it went where it went: the rule, and the values that matched.
    routing text not null,
    folder text,
    folder_key text,
    name text,
    name_key text,
    -- How the importer acted (removed, moved, copied), and the name it gave it in the processed folder.
    act text,
    moved_name text,
    moved_key text,
    digest text not null,
    bytes bigint not null,
    -- What its device has read so far, while that is neither nothing nor all.
    progress text,
    created_at bigint not null,
    offered_at bigint,
    read_at bigint,
    collected_at bigint,
    processed_at bigint,
    withdrawn_at bigint
);
create index delivery_document on delivery (document_id);
create index delivery_firm on delivery (firm_id, id);
create unique index delivery_place on delivery (device_id, folder_key, name_key) where current = 1;
create index delivery_names on delivery (device_id, folder_key, name_key);
create index delivery_waiting on delivery (firm_id, state) where state = 'held';
create index delivery_link on delivery (link_id, digest);

create table event (
    firm_id bigint not null references firm (id),
    seq bigint not null,
    at bigint not null,
    kind text not null,
    document_id bigint,
    delivery_id bigint,
    device_id bigint,
    session_id bigint,
    detail text not null,
    hash text not null,
    primary key (firm_id, seq)
);
create index event_document on event (document_id);
create index event_delivery on event (delivery_id);
