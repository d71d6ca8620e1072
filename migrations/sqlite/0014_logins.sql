-- With what, from where, and whether at all a device may log in.

-- key-or-password, key, password or key-and-password.
alter table device add column means text not null default 'key-or-password';
-- Ranges of addresses, with commas; none: from anywhere.
alter table device add column networks text;
-- Since when it may not log in, and why, in the words of whoever decided it.
alter table device add column disabled_at bigint;
alter table device add column disabled_why text;
-- How often it was given a password: who logged in with an earlier one has no more claim to be here.
alter table device add column password_version bigint not null default 0;
-- Moves with every change of what logs this device in, so that a login which was judged before is judged again.
alter table device add column access bigint not null default 0;

-- From when on the key is refused.
alter table device_key add column expires_at bigint;
-- When it last opened a session, to the hour.
alter table device_key add column used_at bigint;
update device_key set used_at = (
    select max(s.started_at) from session s
    where s.device_id = device_key.device_id and s.credential = device_key.fingerprint
);
