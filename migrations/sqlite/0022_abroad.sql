-- What a document is known by, as `ingest::plan` and `ubl::document` have it since: a party abroad by its VAT number before
-- another registration, for many invoices bear that alone; who wrote it and what it is by more type codes; a number with
-- whatever dash.

create table identifier as
select d.id as document, s.side as side, i.key as place,
    json_extract(i.value, '$.source') as source, json_extract(i.value, '$.key') as key
from document d, (select 'seller' as side union all select 'buyer') s,
    -- A row that is damaged holds up no other.
    json_each(case when json_valid(d.reading) then d.reading else '{}' end, '$.' || s.side || '.ids') i
where i.type = 'object' and d.business_key is not null
    and (d.reading glob '*"key":"vat:*' or d.reading glob '*"type_code":"[45][0-9][0-9]"*');

-- A sound Belgian number among its registrations, a VAT number there, another that is one enterprise's alone, an electronic
-- address that is, any number.
create table known_by as
select document, side, key from (
    select document, side, key, row_number() over (partition by document, side order by
        case
        when source = 'identification' then 5
        when key glob '0208:[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]' then
            case
            when key not glob '0208:[01]*'
                 or 97 - cast(substr(key, 6, 8) as integer) % 97 <> cast(substr(key, 14, 2) as integer) then 5
            when source = 'endpoint' then 4
            else 1 end
        when key glob '0208:*' then 5
        when key glob 'vat:*' and source = 'legal_entity' then 5
        when source = 'endpoint' then case when key glob 'vat:*' or key glob '[0-9][0-9][0-9][0-9]:*' then 4 else 5 end
        when key glob 'vat:*' then 2
        when key glob '[0-9][0-9][0-9][0-9]:*' then 3
        else 5 end, place) as nth
    from identifier
    where substr(key, instr(key, ':') + 1) glob '*[1-9]*'
) where nth = 1;

update document set business_key = k.key || substr(business_key, instr(business_key, '|'))
from known_by k where k.document = document.id and k.side = 'seller' and business_key is not null
  and business_key not like 'name:%' and k.key glob 'vat:*'
  and business_key glob '[0-9][0-9][0-9][0-9]:*' and k.key <> substr(business_key, 1, instr(business_key, '|') - 1);

update document set business_key = rtrim(business_key, replace(business_key, '|', '')) || k.key
from known_by k where k.document = document.id and k.side = 'buyer' and business_key is not null
  and case when json_valid(reading) then json_extract(reading, '$.self_billed') end = 1 and k.key glob 'vat:*'
  and k.key <> substr(business_key, length(rtrim(business_key, replace(business_key, '|', ''))) + 1);

create table coded as
select id as document, json_extract(reading, '$.type_code') as code from document
where json_valid(reading)
    and reading glob '*"type_code":"[2-5][0-9][0-9]"*';

-- The kind is the last of the key, or the last before the buyer where the buyer wrote it.
update document set reading = json_set(reading, '$.kind', 'credit_note'),
    business_key = substr(business_key, 1, length(business_key) - length('invoice')) || 'credit_note'
where id in (select document from coded where code in ('262', '296', '308', '420', '458', '502', '503'))
  and case when json_valid(reading) then json_extract(reading, '$.kind') end = 'invoice' and case when json_valid(reading) then json_extract(reading, '$.self_billed') end = 0;

update document set reading = json_set(reading, '$.self_billed', json('true')),
    business_key = business_key || '|' || coalesce(
        (select key from known_by k where k.document = document.id and k.side = 'buyer'),
        'name:' || lower(json_extract(reading, '$.buyer.name')), '')
where id in (select document from coded where code in ('471', '473', '500', '501', '502'))
  and case when json_valid(reading) then json_extract(reading, '$.self_billed') end = 0;

update document set business_key = replace(replace(replace(replace(replace(replace(business_key,
    char(0x2010), '-'), char(0x2011), '-'), char(0x2012), '-'), char(0x2013), '-'), char(0x2014), '-'), char(0x2212), '-')
where business_key glob '*[' || char(0x2010) || '-' || char(0x2014) || char(0x2212) || ']*' and business_key not glob '*name:*';

drop table coded;
drop table known_by;
drop table identifier;
