-- The to-do list of the process manager unfinished_attempts: attempts whose intent is on the log and whose outcome is not.
create table unfinished_attempt (
    -- the attempt
    pay_no text not null primary key,
    -- the event that recorded the intent
    issued_event_id text not null,
    -- when, in microseconds, UTC
    issued_at integer not null
) strict;
create index unfinished_attempt_by_age on unfinished_attempt (issued_at);
