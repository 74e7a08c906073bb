-- Who does a piece of work that one process at a time should do. It saves double work; correctness never hangs on it.
create table lease (
    -- the work, for instance the name of a process manager
    name text collate "C" not null primary key,
    -- who does it, made anew by each process at its start
    holder text collate "C" not null,
    -- until when; afterwards anybody may take it
    leased_until timestamptz not null
);
