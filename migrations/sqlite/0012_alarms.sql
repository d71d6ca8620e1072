-- What has been forgotten, and is so still: an alarm is a row from when it is raised until it is cleared. Both
-- are told as events, with the row, so of one thing no second alarm is raised while the first is up.

create table alarm (
    firm_id bigint not null references firm (id),
    -- uncollected, unseen or rejected; and of which delivery or device, 0 for the drop folder.
    kind text not null,
    subject bigint not null,
    document_id bigint,
    device_id bigint,
    -- Since when it is so: the offer, or when the device was there last.
    since bigint not null,
    raised_at bigint not null,
    primary key (firm_id, kind, subject)
);

-- For how long a firm waits before it is told: '3d' or 'never'; as the configuration has it, where nothing stands.
alter table firm add column alarm_uncollected text;
alter table firm add column alarm_unseen text;
