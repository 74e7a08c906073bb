-- The log: every fact, once, in one order. Rows are added and never changed.
create table event (
    position bigint not null,
    stream_id text not null,
    revision bigint not null,
    event_id uuid not null,
    event_type text not null,
    schema_version smallint not null,
    recorded_at timestamptz not null,
    -- json, not jsonb: it keeps the text exactly, and the audit chain hashes stored bytes.
    data json not null,
    correlation_id uuid not null,
    causation_id uuid,
    actor text not null,
    source text not null,
    constraint event_pkey primary key (position),
    constraint event_stream_revision unique (stream_id, revision),
    constraint event_event_id unique (event_id),
    constraint event_position_check check (position > 0),
    constraint event_revision_check check (revision >= 0),
    constraint event_schema_version_check check (schema_version > 0)
) with (
    -- A table that only grows is otherwise vacuumed seldom and then for hours.
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_freeze_min_age = 0
);

comment on table event is 'The log: every fact, once, in one order. Rows are added and never changed';
comment on column event.position is 'Place in the whole log: 1, 2, 3, … without gaps';
comment on column event.stream_id is 'The stream that it belongs to, for instance order-7231…';
comment on column event.revision is 'Number within the stream, from 0';
comment on column event.event_id is 'Names the event for ever';
comment on column event.event_type is 'The stored name, for instance OrderCreated';
comment on column event.schema_version is 'Number of the stored shape, from 1';
comment on column event.recorded_at is 'When the log took it; never falls as position rises';
comment on column event.data is 'The event''s JSON, byte for byte as it was written';
comment on column event.correlation_id is 'The same for all that one request led to';
comment on column event.causation_id is 'The event that caused this one, if one did';
comment on column event.actor is 'Who did it';
comment on column event.source is 'Which part of the system wrote it';

-- For auditors who look for one kind of event, and for views that ask whether an event of theirs is still to come.
create index event_by_type on event (event_type, position);

create table lineage (
    number bigint not null,
    lineage_id uuid not null,
    made_at timestamptz not null,
    constraint lineage_pkey primary key (number),
    constraint lineage_lineage_id unique (lineage_id)
);

comment on table lineage is 'Which log this is: made with it, and renewed after a restore, because positions are then given out a second time';
comment on column lineage.number is '1, 2, 3, …; the highest counts';
comment on column lineage.lineage_id is 'Sent along with everything that leaves the log';
comment on column lineage.made_at is 'When it was made';

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the log is append-only' using errcode = 'restrict_violation';
end
$$;

create trigger event_is_append_only before update or delete or truncate on event
    for each statement execute function refuse_change();
create trigger lineage_is_append_only before update or delete or truncate on lineage
    for each statement execute function refuse_change();

-- The triggers hold the owner; everybody else lacks the right from the start.
revoke update, delete, truncate on event from public;
revoke update, delete, truncate on lineage from public;

-- Writes one batch of appends and answers each its own outcome:
--   0 written · 1 the stream's last revision (o_actual, -1 for none) is not the expected one · 2 an id is taken (p_check_ids only)
--
-- It must be volatile and each query its own statement: a statement takes its snapshot before it waits for the lock, so the last
-- position has to be read by a statement that began after the lock was granted. The lock is given back only when the commit can be
-- seen, which is why positions appear in order, whatever number of processes write; a rollback gives its numbers back.
--
-- The plans are made with the sequential scan switched off, because one made while the log is nearly empty would otherwise be kept
-- when the log is large.
create function append_batch(
    p_streams text[],           -- each stream of the batch once
    p_stream integer[],         -- per append: which of p_streams, from 1
    p_expected bigint[],        -- per append: the expected last revision, -1 for none
    p_count integer[],          -- per append: how many events
    p_event_append integer[],   -- per event: which append, from 1
    p_event_offset integer[],   -- per event: number within its append, from 0
    p_event_stream text[],
    p_event_id uuid[],
    p_event_type text[],
    p_schema_version smallint[],
    p_data text[],
    p_correlation_id uuid[],
    p_causation_id uuid[],
    p_actor text[],
    p_source text[],
    p_now timestamptz,
    p_check_ids boolean,
    out o_outcome smallint[],
    out o_actual bigint[],
    out o_head bigint,          -- the last position before this batch
    out o_recorded_at timestamptz
) language plpgsql volatile
set search_path from current
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
    v_last timestamptz;
    v_revisions bigint[];
    v_taken integer[] := '{}';
    v_written bigint := 0;
begin
    perform pg_advisory_xact_lock(8101829470124208128);

    select e.position, e.recorded_at into o_head, v_last from event e order by e.position desc limit 1;
    o_head := coalesce(o_head, 0);
    o_recorded_at := greatest(p_now, v_last);

    select array_agg(coalesce(last.revision, -1) order by s.number) into v_revisions
    from unnest(p_streams) with ordinality as s(stream_id, number)
    left join lateral (
        select e.revision from event e where e.stream_id = s.stream_id order by e.revision desc limit 1
    ) as last on true;

    if p_check_ids then
        select coalesce(array_agg(distinct n.append), '{}') into v_taken
        from unnest(p_event_append, p_event_id) as n(append, event_id)
        where exists (select from event e where e.event_id = n.event_id);
    end if;

    for i in 1 .. cardinality(p_expected) loop
        o_actual[i] := v_revisions[p_stream[i]];
        if o_actual[i] <> p_expected[i] then
            o_outcome[i] := 1;
        elsif p_check_ids and i = any (v_taken) then
            o_outcome[i] := 2;
        else
            o_outcome[i] := 0;
            v_revisions[p_stream[i]] := o_actual[i] + p_count[i];
            v_written := v_written + p_count[i];
        end if;
    end loop;

    if v_written > 0 then
        insert into event (position, stream_id, revision, event_id, event_type, schema_version, recorded_at, data,
                           correlation_id, causation_id, actor, source)
        select o_head + row_number() over (order by n.number), n.stream_id, p_expected[n.append] + 1 + n.place, n.event_id,
               n.event_type, n.schema_version, o_recorded_at, n.data::json, n.correlation_id, n.causation_id, n.actor, n.source
        from unnest(p_event_append, p_event_offset, p_event_stream, p_event_id, p_event_type, p_schema_version, p_data,
                    p_correlation_id, p_causation_id, p_actor, p_source)
             with ordinality as n(append, place, stream_id, event_id, event_type, schema_version, data,
                                  correlation_id, causation_id, actor, source, number)
        where o_outcome[n.append] = 0
        order by n.number;
        perform pg_notify('paystream_log', (o_head + v_written)::text);
    end if;
end
$$;

comment on function append_batch is 'Writes one batch of appends under one lock; each append gets its own outcome';
