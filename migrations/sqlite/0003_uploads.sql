-- Whether a device may put documents into its folder /in, 0 or 1. A source may whatever stands here,
-- for it does nothing else.

alter table device add column uploads bigint not null default 0;
