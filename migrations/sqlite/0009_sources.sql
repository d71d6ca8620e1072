-- What a device put into /in and was not accepted: notes for that device, which are forgotten after a week. No
-- document hangs on them.
create table rejection (
    id integer primary key autoincrement,
    firm_id bigint not null references firm (id),
    device_id bigint not null references device (id),
    -- Where it was put; and its name in /rejected, which no other of the device has.
    path text not null,
    path_key text not null,
    name text not null,
    name_key text not null,
    -- Why, and what more is to say: the reader's words, or the limit.
    why text not null,
    detail text not null,
    bytes bigint,
    -- The bytes, where they were kept; else empty.
    digest text not null,
    at bigint not null,
    -- When its device removed the file, and the text beside it, from its sight.
    file_removed_at bigint,
    text_removed_at bigint
);
-- The same file refused once more is the same note.
create unique index rejection_put on rejection (device_id, path_key, why, digest);
create unique index rejection_name on rejection (device_id, name_key);

-- What a firm has put in on a day is counted from here alone, once a day and after a start.
create index document_uploaded on document (firm_id, received_at, bytes, source) where source like 'sftp:%';
