-- For how long a firm keeps things: what its devices have done with in their view, documents since something
-- last happened to them, and what is known of documents that are gone. Nothing is destroyed unless it says so.

alter table firm add column keep_in_view text not null default '60d';
alter table firm add column keep_documents text not null default 'forever';
alter table firm add column keep_events text not null default 'forever';

-- When the same document arrived again.
alter table document add column again_at bigint;
create index document_received on document (firm_id, received_at);

-- What must not be removed, whatever its age: a document, the documents of a dossier, or all of the firm.
create table legal_hold (
    id integer primary key autoincrement,
    firm_id bigint not null references firm (id),
    document_id bigint,
    dossier_id bigint,
    reason text not null,
    placed_by text not null,
    placed_at bigint not null,
    released_at bigint
);
create index legal_hold_firm on legal_hold (firm_id) where released_at is null;

-- What is known of a document that is gone, until its events are forgotten.
create table expired (
    firm_id bigint not null references firm (id),
    document_id bigint not null,
    digest text not null,
    content_digest text not null,
    bytes bigint not null,
    number text,
    -- Its deliveries' numbers, with a comma before and behind each.
    deliveries text not null,
    -- When something last happened to it, and when it was removed.
    touched_at bigint not null,
    expired_at bigint not null,
    primary key (firm_id, document_id)
);

-- Blobs of documents that are gone. One is removed when no row names it: first it is marked as going, by a
-- change of its own, and then removed within a change that takes the mark off.
create table doomed (
    digest text primary key,
    bytes bigint not null,
    going bigint not null default 0
);
-- Each arrival asks whether any is going.
create index doomed_going on doomed (going) where going = 1;

-- How often blobs were removed. Who has stored one before it last moved looks whether it is there still.
create table sweeps (
    id bigint primary key,
    count bigint not null
);
insert into sweeps (id, count) values (1, 0);

-- As long as a session lasts that may see a file, its document stays.
create index session_open on session (firm_id, started_at) where ended_at is null;
