-- The log: every fact, once, in one order. Rows are added and never changed.
create table event (
    position integer not null primary key,   -- place in the whole log: 1, 2, 3, … without gaps
    stream_id text not null,                 -- the stream that it belongs to, for instance order-7231…
    revision integer not null,               -- number within the stream, from 0
    event_id blob not null,                  -- UUID, 16 bytes; names the event for ever
    event_type text not null,                -- the stored name, for instance OrderCreated
    schema_version integer not null,         -- number of the stored shape, from 1
    recorded_at integer not null,            -- when the log took it: microseconds since 1970, UTC; never falls as position rises
    data text not null,                      -- the event's JSON, byte for byte as it was written
    correlation_id blob not null,            -- UUID, 16 bytes; the same for all that one request led to
    causation_id blob,                       -- UUID, 16 bytes; the event that caused this one, if one did
    actor text not null,                     -- who did it
    source text not null,                    -- which part of the system wrote it
    constraint event_stream_revision unique (stream_id, revision),
    constraint event_event_id unique (event_id),
    check (position > 0),
    check (revision >= 0),
    check (schema_version > 0),
    check (length(event_id) = 16 and length(correlation_id) = 16)
) strict;

-- For auditors who look for one kind of event, and for views that ask whether an event of theirs is still to come.
create index event_by_type on event (event_type, position);

create trigger event_is_not_updated before update on event begin
    select raise(abort, 'the log is append-only');
end;

create trigger event_is_not_deleted before delete on event begin
    select raise(abort, 'the log is append-only');
end;

-- Which log this is: made with it, and renewed after a restore, because positions are then given out a second time.
-- The row with the highest number counts.
create table lineage (
    number integer not null primary key,     -- 1, 2, 3, …
    lineage_id blob not null unique,         -- UUID, 16 bytes
    made_at integer not null,                -- microseconds since 1970, UTC
    check (length(lineage_id) = 16)
) strict;

create trigger lineage_is_not_updated before update on lineage begin
    select raise(abort, 'the lineage is append-only');
end;

create trigger lineage_is_not_deleted before delete on lineage begin
    select raise(abort, 'the lineage is append-only');
end;
