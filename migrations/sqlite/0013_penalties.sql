-- What networks have come to from which connections failed to log in. No firm: nobody has logged in.
create table penalty (
    -- A range of addresses, as it is written: 192.0.2.7/32, 2001:db8:1:2::/64.
    network text not null primary key,
    until bigint not null,
    -- Whether it bars the network, 1, or only counts, 0.
    bars bigint not null,
    -- What came last: refused, no_attempt, overdue, protocol.
    fault text not null
);

-- What an operator lifts; a running server reads it within seconds.
create table penalty_lift (
    id integer primary key autoincrement,
    network text not null,
    at bigint not null
);
