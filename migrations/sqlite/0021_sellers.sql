-- A seller is known by its own numbers before its electronic address, and by none that several may bear. The same
-- order as in `ingest::plan`: a sound Belgian number among its registrations, another of those that is one
-- enterprise's alone, an electronic address that is, any number.

create table known_by as
select document, side, key from (
    select d.id as document, s.side as side, json_extract(i.value, '$.key') as key,
        row_number() over (partition by d.id, s.side order by
            case
            when json_extract(i.value, '$.source') = 'identification' then 4
            when json_extract(i.value, '$.key') glob '0208:[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]' then
                case
                when json_extract(i.value, '$.key') not glob '0208:[01]*'
                     or 97 - cast(substr(json_extract(i.value, '$.key'), 6, 8) as integer) % 97
                         <> cast(substr(json_extract(i.value, '$.key'), 14, 2) as integer) then 4
                when json_extract(i.value, '$.source') = 'endpoint' then 3
                else 1 end
            when json_extract(i.value, '$.key') glob '0208:*' then 4
            when json_extract(i.value, '$.key') glob 'vat:*' and json_extract(i.value, '$.source') = 'legal_entity' then 4
            when json_extract(i.value, '$.key') glob 'vat:*'
                 or json_extract(i.value, '$.key') glob '[0-9][0-9][0-9][0-9]:*' then
                case json_extract(i.value, '$.source') when 'endpoint' then 3 else 2 end
            else 4 end, i.key) as nth
    from document d, (select 'seller' as side union all select 'buyer') s, json_each(d.reading, '$.' || s.side || '.ids') i
    where d.business_key is not null
      and (s.side = 'seller' or json_extract(d.reading, '$.self_billed') = 1)
      and substr(json_extract(i.value, '$.key'), instr(json_extract(i.value, '$.key'), ':') + 1) glob '*[1-9]*'
) where nth = 1;

-- The key of an identifier has no `|` in it, so the first and the last are where they should be.
update document set business_key = k.key || substr(business_key, instr(business_key, '|'))
from known_by k where k.document = document.id and k.side = 'seller'
  and k.key <> substr(business_key, 1, instr(business_key, '|') - 1);

update document set business_key = rtrim(business_key, replace(business_key, '|', '')) || k.key
from known_by k where k.document = document.id and k.side = 'buyer'
  and k.key <> substr(business_key, length(rtrim(business_key, replace(business_key, '|', ''))) + 1);

drop table known_by;
