-- What people did at the command line: each change that a command made, in the transaction of the change.
-- What it came to stands in the events of its firm; here stands who, and by which command. Rows are only
-- ever added, each with a hash over the one before it.

create table deed (
    seq integer primary key,
    at bigint not null,
    -- The operating system's user.
    who text not null,
    -- The command line, without secrets.
    command text not null,
    -- Whose events it told, from which to which; null where it told none. A firm may be removed, so it is not
    -- referenced.
    firm_id bigint,
    first_event bigint,
    last_event bigint,
    hash text not null
);
