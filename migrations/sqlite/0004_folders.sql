-- The folders that hold files of a device are asked for when a session begins: by this index one look per
-- folder finds them, however many files are in them.

create index delivery_folders on delivery (device_id, folder_key, link_id, flow) where current = 1;
