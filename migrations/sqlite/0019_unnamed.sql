-- Until when a blob stays that nothing names: whoever put it may ask for its hash. None of a document that is gone.

alter table doomed add column stays_until bigint;
