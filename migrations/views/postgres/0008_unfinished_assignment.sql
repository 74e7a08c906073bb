create table unfinished_assignment (
    stream_id text not null primary key,
    position bigint not null,
    touched_at timestamptz not null,
    next_at timestamptz not null
);
create index unfinished_assignment_due on unfinished_assignment (next_at);
comment on table unfinished_assignment is 'The to-do list of the process manager assignments: unmatched money on which an operator has decided, until what follows from that is done';
comment on column unfinished_assignment.stream_id is 'The stream of the money: unknown_capture-{wallet}-{trade_no}';
comment on column unfinished_assignment.position is 'The position of the newest event that the list knows of it';
comment on column unfinished_assignment.touched_at is 'When that was recorded';
comment on column unfinished_assignment.next_at is 'When to look at it next';
