-- Who does a piece of work that one process at a time should do. It saves double work; correctness never hangs on it.
-- Times are integer microseconds since 1970-01-01T00:00:00Z.
create table lease (
    -- the work, for instance the name of a process manager
    name text not null primary key,
    -- who does it, made anew by each process at its start
    holder text not null,
    -- until when; afterwards anybody may take it
    leased_until integer not null
) strict;
