-- What a buyer wrote and what gives back by its type code is a credit note, as `ubl::document` has it since 0022, which
-- changed that only of what sellers wrote. Up to the buyer, who is the last of the key.

create table coded as
select id as document, rtrim(business_key, replace(business_key, '|', '')) as ahead
from document
-- A row that is damaged holds up no other.
where reading glob '*"type_code":"[2-5][0-9][0-9]"*' and case when json_valid(reading) then
    json_extract(reading, '$.type_code') in ('262', '296', '308', '420', '458', '502', '503')
    and json_extract(reading, '$.kind') = 'invoice' and json_extract(reading, '$.self_billed') = 1 end;

update document set business_key =
    substr(c.ahead, 1, length(c.ahead) - length('invoice|')) || 'credit_note|' || substr(business_key, length(c.ahead) + 1)
from coded c where c.document = document.id and c.ahead glob '*|invoice|';

update document set reading = json_set(reading, '$.kind', 'credit_note')
where id in (select document from coded);

drop table coded;
