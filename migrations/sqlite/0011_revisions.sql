-- What a firm wants done with a document that looks like one that is here: 'hold' it for a person, or
-- let it 'replace' what nobody has collected and be a revision of what somebody has.

alter table firm add column duplicates text not null default 'hold';

-- Of a delivery: the first document that its own looked like; the document of which it was offered as a
-- revision; and the document that took its place, where one did and it was withdrawn for that.
alter table delivery add column duplicate_of bigint;
alter table delivery add column revision_of bigint;
alter table delivery add column replaced_by bigint;

-- What waits already for a person is shown beside the first, too.
update delivery set duplicate_of =
    (select min(o.id) from document d join document o
        on o.firm_id = d.firm_id and o.business_key = d.business_key and o.id < d.id
     where d.id = delivery.document_id)
where state = 'held' and reason = 'suspected_duplicate' and current = 1;
