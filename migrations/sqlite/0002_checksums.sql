-- MD5 and SHA-1 of what is delivered, as hexadecimal digits, for clients that compare what they have
-- fetched. Both or neither: documents that were here before get theirs when somebody first asks.
alter table document add column content_md5 text;
alter table document add column content_sha1 text;
