-- What a webhook is told of a document that is gone stays what it was while the document was there: a letter may wait for
-- longer. It goes with the rest of what is known of the document.

alter table expired add column kind text;

create table expired_delivery (
    id integer primary key,
    firm_id bigint not null references firm (id),
    document_id bigint not null,
    generation bigint not null,
    dossier_id bigint,
    folder text,
    name text
);
create index expired_delivery_document on expired_delivery (firm_id, document_id);
