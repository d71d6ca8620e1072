-- A mark touches fewer pages, and is one statement. Events are found by their firm and place or by
-- their document; nothing looks for those of a delivery. Without a row id, the order is the table.

create table event_in_order (
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
) without rowid;
insert into event_in_order
select firm_id, seq, at, kind, document_id, delivery_id, device_id, session_id, detail, hash
from event order by firm_id, seq;
drop table event;
alter table event_in_order rename to event;
create index event_document on event (document_id);

-- The firm knows its last event.
create trigger event_head after insert on event begin
    update firm set event_seq = new.seq, event_hash = new.hash where id = new.firm_id;
end;

-- What is told to be collected is collected.
create trigger event_collected after insert on event when new.kind = 'collected' begin
    update delivery set state = 'collected', collected_at = new.at, read_at = coalesce(read_at, new.at), progress = null
    where firm_id = new.firm_id and id = new.delivery_id and state = 'offered' and current = 1;
end;

-- Fewer pages for each arrival, too. Of most documents the content is the original, and few come in an
-- envelope; of a file that is sent again, few names stand with the generations before.
drop index document_content;
create index document_content on document (firm_id, content_digest) where content_digest <> digest;
drop index document_envelope;
create index document_envelope on document (firm_id, envelope_key) where envelope_key is not null;
drop index document_business;
create index document_business on document (firm_id, business_key) where business_key is not null;
drop index delivery_names;
create index delivery_names on delivery (device_id, folder_key, name_key) where current = 0;

-- What a listing shows is found without what the folder showed before: since when it was collected stands
-- in the index of folders, which begins with what that of 0004 had.
drop index delivery_folders;
create index delivery_folders on delivery (device_id, folder_key, link_id, flow, collected_at) where current = 1;
create index delivery_copied on delivery (device_id, folder_key, processed_at) where act = 'copied' and current = 1;

-- A processed folder is that of a link and flow; copies are found by their documents.
drop index delivery_link;
create index delivery_link on delivery (link_id, flow, name_key) where current = 1;
create index delivery_moved on delivery (link_id, flow, moved_key) where moved_key is not null and current = 1;
