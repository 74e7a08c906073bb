-- The to-do list of the process manager assignments: unmatched money on which an operator has decided, until what follows from
-- that is done.
create table unfinished_assignment (
    -- the stream of the money: unknown_capture-{wallet}-{trade_no}
    stream_id text not null primary key,
    -- the position of the newest event that the list knows of it
    position integer not null,
    -- when that was recorded, in microseconds, UTC
    touched_at integer not null,
    -- when to look at it next, in microseconds, UTC
    next_at integer not null
) strict;
create index unfinished_assignment_due on unfinished_assignment (next_at);
