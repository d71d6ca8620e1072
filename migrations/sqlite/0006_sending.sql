-- When a document is sent: by its link's rule, or its firm's. Of what was here before, all was sent at
-- once or by hand, and every document counts as sent by whoever made it.

alter table firm add column transfer text not null default 'at-once';
alter table firm add column approval text not null default 'required';
-- The hour of the night, and the time zone where it is not the configured one.
alter table firm add column night_hour text not null default '02:00';
alter table firm add column time_zone text;

-- 'firm' where the firm decides; the date before which nothing is sent by itself, yyyy-mm-dd.
alter table link add column approval text not null default 'firm';
alter table link add column from_date text;

alter table document add column status text not null default 'sent';
alter table document add column origin text not null default 'own';
alter table document add column approved_at bigint;
-- Since when nothing about it has changed, where that is not its arrival.
alter table document add column ready_at bigint;

-- When a held delivery is looked at again by itself, and what a person said of it.
alter table delivery add column due_at bigint;
alter table delivery add column note text;
-- When a person gave the document to other books: it is not sent to these again.
alter table delivery add column moved_at bigint;
create index delivery_due on delivery (due_at) where due_at is not null;
