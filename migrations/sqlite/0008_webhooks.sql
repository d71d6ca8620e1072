-- Whom a firm tells what happens. The events are the list of what is to be told: a webhook knows how far
-- in it has come, so nothing is added to what a mark costs.

create table webhook (
    id integer primary key autoincrement,
    firm_id bigint not null references firm (id),
    url text not null,
    -- Which kinds of event, with commas between; empty for every event about a document.
    kinds text not null,
    secret text not null,
    -- The last event that is dealt with: told, not wanted, or written down as a letter.
    cursor_seq bigint not null,
    -- Why it is paused, if it is.
    paused text,
    told_at bigint,
    added_at bigint not null,
    removed_at bigint
);

-- An event at or before a webhook's cursor that is not told yet. Of one lane (a document, or 0 for events
-- about none) only the first is due; the others are behind it. A dead one is tried no more.
create table letter (
    id integer primary key autoincrement,
    webhook_id bigint not null references webhook (id),
    seq bigint not null,
    lane bigint not null,
    state text not null,
    attempts bigint not null,
    due_at bigint not null,
    error text not null
);
create unique index letter_event on letter (webhook_id, seq);
create index letter_lane on letter (webhook_id, lane, seq);
create index letter_due on letter (webhook_id, due_at) where state = 'due';
