-- What a buyer wrote is known by the buyer too, for its number is one of the buyer's. The same order as in
-- `ingest::plan`: a sound Belgian number, another that is one enterprise's alone, any number, the name.

update document set business_key = business_key || '|' || coalesce(
    (select json_extract(id.value, '$.key') from json_each(document.reading, '$.buyer.ids') id
     where substr(json_extract(id.value, '$.key'), instr(json_extract(id.value, '$.key'), ':') + 1) glob '*[1-9]*'
     order by case
            when json_extract(id.value, '$.source') = 'identification' then 2
            when json_extract(id.value, '$.key') not glob '0208:[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]' then 1
            when json_extract(id.value, '$.key') glob '0208:[01]*'
                 and 97 - cast(substr(json_extract(id.value, '$.key'), 6, 8) as integer) % 97
                     = cast(substr(json_extract(id.value, '$.key'), 14, 2) as integer) then 0
            else 2 end, id.key
     limit 1),
    'name:' || lower(json_extract(document.reading, '$.buyer.name')),
    '')
where business_key is not null and reading like '%"self_billed":true%';
