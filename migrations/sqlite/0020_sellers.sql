-- Two changes of what a document is known by, as `ingest::plan` and `model::party` have them. Each identifier of each
-- document stands in a table meanwhile: to read them again and again takes minutes where there are many.

create table identifier as
select d.id as document, s.side as side, i.key as place,
    json_extract(i.value, '$.source') as source, json_extract(i.value, '$.key') as key
from document d, (select 'seller' as side union all select 'buyer') s,
    -- A row that is damaged holds up no other.
    json_each(case when json_valid(d.reading) then d.reading else '{}' end, '$.' || s.side || '.ids') i
where i.type = 'object';

-- A Belgian number under a scheme of another number, or behind the words of a letterhead, had a key of its own.
create table renamed as
with held(key) as (
    select key from dossier_identifier union select key from identifier
), cut as (
    select key, rtrim(key, '0123456789') as head, substr(key, length(rtrim(key, '0123456789')) + 1) as tail from held
), numbered as (
    select key, head, length(tail) as length,
        case when length(tail) = 9 then '0' || tail
             when head = 'vat:ISO6523ACTORIDUPIS' and tail glob '0208*' then substr(tail, 5)
             when key glob 'id:[01][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]RP[RM]*' and substr(key, 14) not glob '*[0-9]*' then substr(key, 4, 10)
             else tail end as digits
    from cut
), judged as (
    select *, 97 - cast(substr(digits, 1, 8) as integer) % 97 = cast(substr(digits, 9, 2) as integer) as is_sound
    from numbered where digits glob '[01][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]'
)
select key as old, '0208:' || digits as new from judged
where head = 'vat:ISO6523ACTORIDUPIS' and length = 14
   or length in (9, 10) and head glob '*:BE' and (head = '0088:BE' or head glob '[a-z]*')
      and head not in ('vat:BE', 'id:BE')
   or is_sound and (
      length = 10 and head in ('0088:', 'btw:', 'tva:', 'ondnr:')
      or length in (9, 10) and substr(head, 1, 7) in ('vat:BTW', 'vat:TVA', 'vat:RPR', 'vat:RPM') and head not glob '*[0-9]*'
      or key glob 'id:[01][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]RP*');

update or ignore dossier_identifier set key = (select new from renamed where old = key)
where key in (select old from renamed);

update document set reading = json_set(reading, '$.seller.ids', (
    select json_group_array(json(case when r.new is null then i.value else json_set(i.value, '$.key', r.new) end))
    from json_each(document.reading, '$.seller.ids') i left join renamed r on r.old = json_extract(i.value, '$.key')))
where id in (select document from identifier where side = 'seller' and key in (select old from renamed));

update document set reading = json_set(reading, '$.buyer.ids', (
    select json_group_array(json(case when r.new is null then i.value else json_set(i.value, '$.key', r.new) end))
    from json_each(document.reading, '$.buyer.ids') i left join renamed r on r.old = json_extract(i.value, '$.key')))
where id in (select document from identifier where side = 'buyer' and key in (select old from renamed));

update identifier set key = (select new from renamed where old = key) where key in (select old from renamed);

-- A party is known by its own numbers before its electronic address, and by none that several may bear: a sound Belgian
-- number among its registrations, another of those that is one enterprise's alone, an electronic address that is, any
-- number.
create table known_by as
select document, side, key from (
    select document, side, key, row_number() over (partition by document, side order by
        case
        when source = 'identification' then 4
        when key glob '0208:[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]' then
            case
            when key not glob '0208:[01]*'
                 or 97 - cast(substr(key, 6, 8) as integer) % 97 <> cast(substr(key, 14, 2) as integer) then 4
            when source = 'endpoint' then 3
            else 1 end
        when key glob '0208:*' then 4
        when key glob 'vat:*' and source = 'legal_entity' then 4
        when key glob 'vat:*' or key glob '[0-9][0-9][0-9][0-9]:*' then case source when 'endpoint' then 3 else 2 end
        else 4 end, place) as nth
    from identifier where substr(key, instr(key, ':') + 1) glob '*[1-9]*'
) where nth = 1;

-- The key of an identifier has no `|` in it, so the first and the last are where they should be.
update document set business_key = k.key || substr(business_key, instr(business_key, '|'))
from known_by k where k.document = document.id and k.side = 'seller' and business_key is not null
  and k.key <> substr(business_key, 1, instr(business_key, '|') - 1);

update document set business_key = rtrim(business_key, replace(business_key, '|', '')) || k.key
from known_by k where k.document = document.id and k.side = 'buyer' and business_key is not null
  and case when json_valid(reading) then json_extract(reading, '$.self_billed') end = 1
  and k.key <> substr(business_key, length(rtrim(business_key, replace(business_key, '|', ''))) + 1);

drop table known_by;
drop table renamed;
drop table identifier;
