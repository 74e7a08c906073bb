-- The to-do list of the process manager unfinished_attempts: attempts whose intent is on the log and whose outcome is not.
create table unfinished_attempt (
    pay_no          text        not null primary key,
    issued_event_id text        not null,
    issued_at       timestamptz not null
);
comment on column unfinished_attempt.pay_no is 'the attempt';
comment on column unfinished_attempt.issued_event_id is 'the event that recorded the intent';
comment on column unfinished_attempt.issued_at is 'when';
create index unfinished_attempt_by_age on unfinished_attempt (issued_at);
