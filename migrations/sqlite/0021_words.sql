-- A Belgian number with the words of a letterhead was renamed in 0020 where they stood before it, and few of those that
-- stand behind it. Here as `belgian_on_paper` in `model::party` reads all of them: one word of letters that begins so,
-- and nine or ten digits that agree, under whatever scheme. Nothing that is read today has a key of that form, so a
-- dossier that has one gets no document.

create table identifier as
select d.id as document, s.side as side, i.key as place,
    json_extract(i.value, '$.source') as source, json_extract(i.value, '$.key') as key
from document d, (select 'seller' as side union all select 'buyer') s,
    -- A row that is damaged holds up no other.
    json_each(case when json_valid(d.reading) then d.reading else '{}' end, '$.' || s.side || '.ids') i
where i.type = 'object'
    and (d.reading glob '*BTW*' or d.reading glob '*TVA*' or d.reading glob '*RPR*' or d.reading glob '*RPM*');

create table renamed as
with held(key) as (
    select key from dossier_identifier union select key from identifier
), valued as (
    select key, substr(key, instr(key, ':') + 1) as value from held
), cut as (
    select key, rtrim(value, '0123456789') as word, substr(value, length(rtrim(value, '0123456789')) + 1) as number
    from valued
    union all
    select key, ltrim(value, '0123456789') as word, substr(value, 1, length(value) - length(ltrim(value, '0123456789'))) as number
    from valued
), numbered as (
    select key, case length(number) when 9 then '0' || number else number end as digits from cut
    where substr(word, 1, 3) in ('BTW', 'TVA', 'RPR', 'RPM') and word not glob '*[^A-Z]*' and length(number) in (9, 10)
)
select key as old, '0208:' || digits as new from numbered
where digits glob '[01][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]'
    and 97 - cast(substr(digits, 1, 8) as integer) % 97 = cast(substr(digits, 9, 2) as integer);

-- A folder may bear the dossier's first Belgian number, and stays what it is: behind those that are there others come.
create table named_so as
select dossier_id as dossier, max(rank) + 1 as behind from dossier_identifier
where dossier_id in (select dossier_id from dossier_identifier where key glob '0208:[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]')
group by dossier_id;

-- Where two dossiers of a firm would have one number, a person says whose it is.
update or ignore dossier_identifier set key = (select new from renamed where old = key),
    rank = rank + coalesce((select behind from named_so where dossier = dossier_id), 0)
where key in (select old from renamed) and not exists (
    select 1 from dossier_identifier o join renamed r on r.old = o.key
    where o.firm_id = dossier_identifier.firm_id and o.dossier_id <> dossier_identifier.dossier_id
        and r.new = (select new from renamed where old = dossier_identifier.key));
drop table named_so;

create table renamed_in as
select distinct document, side from identifier where key in (select old from renamed);

update document set reading = json_set(reading, '$.seller.ids', (
    select json_group_array(json(case when r.new is null then i.value else json_set(i.value, '$.key', r.new) end))
    from json_each(document.reading, '$.seller.ids') i left join renamed r on r.old = json_extract(i.value, '$.key')))
where id in (select document from renamed_in where side = 'seller');

update document set reading = json_set(reading, '$.buyer.ids', (
    select json_group_array(json(case when r.new is null then i.value else json_set(i.value, '$.key', r.new) end))
    from json_each(document.reading, '$.buyer.ids') i left join renamed r on r.old = json_extract(i.value, '$.key')))
where id in (select document from renamed_in where side = 'buyer');

update identifier set key = (select new from renamed where old = key) where key in (select old from renamed);

-- By what such a party is known, as in 0020.
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
    from identifier join renamed_in using (document, side)
    where substr(key, instr(key, ':') + 1) glob '*[1-9]*'
) where nth = 1;

update document set business_key = k.key || substr(business_key, instr(business_key, '|'))
from known_by k where k.document = document.id and k.side = 'seller' and business_key is not null
  and k.key <> substr(business_key, 1, instr(business_key, '|') - 1);

update document set business_key = rtrim(business_key, replace(business_key, '|', '')) || k.key
from known_by k where k.document = document.id and k.side = 'buyer' and business_key is not null
  and case when json_valid(reading) then json_extract(reading, '$.self_billed') end = 1
  and k.key <> substr(business_key, length(rtrim(business_key, replace(business_key, '|', ''))) + 1);

drop table known_by;
drop table renamed_in;
drop table renamed;
drop table identifier;
