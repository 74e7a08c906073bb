-- What consumers of messages remember beside their tables, and what paid study material entitles to.

-- How far a consumer has come on each subject of the broker. Fed by consumers that read a broker.
create table consumer_mark (
    -- the consumer's name and the subject, parted by a space
    mark_id text collate "C" not null primary key,
    -- the consumer's name
    consumer text collate "C" not null,
    -- the log position of the last message of this subject that was dealt with: taken, parked or passed over; for the subject
    -- `turns of` a part, how often the part was written
    position bigint not null check (position >= 0)
);
create index consumer_mark_consumer on consumer_mark (consumer, position);

-- Messages that a consumer could not take, and later ones of the same stream, which wait behind them.
create table parked_message (
    -- the consumer's name and the log position of the event, for instance points-1234
    parked_id text collate "C" not null primary key,
    -- the consumer's name
    consumer text collate "C" not null,
    -- the consumer's name and the stream, parted by a space: what waits in one order
    queue text collate "C" not null,
    -- the part of the subjects that it came by, for instance p07; null where it came from the log
    part text collate "C",
    -- waiting: tried again at retry_at · parked: given up until an operator acts · behind: waits for an earlier one of its
    -- queue · skipped: passed over for good by an operator
    state text collate "C" not null check (state in ('waiting', 'parked', 'behind', 'skipped')),
    -- how often it was tried
    tries bigint not null check (tries >= 0),
    -- why it was not taken, or what it waits behind
    reason text collate "C" not null,
    -- why an operator passed it over; null unless one did
    skip_reason text collate "C",
    -- when it is tried again; null unless it is waiting
    retry_at timestamptz,
    -- when it first could not be taken
    parked_at timestamptz not null,
    -- the event: the stream that it belongs to
    stream_id text collate "C" not null,
    -- its number within the stream
    revision bigint not null check (revision >= 0),
    -- its place in the log
    position bigint not null check (position >= 0),
    -- its id
    event_id text collate "C" not null,
    -- its stored name
    event_type text collate "C" not null,
    -- the number of its stored shape
    schema_version bigint not null check (schema_version >= 0),
    -- when the log took it
    recorded_at timestamptz not null,
    -- its exact JSON
    data text collate "C" not null
);
create index parked_message_queue on parked_message (queue, position);
create index parked_message_due on parked_message (consumer, state, retry_at);
create index parked_message_newest on parked_message (parked_at desc, parked_id desc);

-- One row a line of a paid order of study material or tutoring. Fed by the follower entitlements.
create table entitlement_view (
    -- the order's number and the line's, from 1
    entitlement_id text collate "C" not null primary key,
    -- the order whose payment gave it
    order_id text collate "C" not null,
    -- whose it is; others find nothing
    buyer_id text collate "C" not null,
    -- what kind of business it is
    kind text collate "C" not null check (kind in ('material', 'tutoring')),
    -- what was bought
    goods_id text collate "C" not null,
    -- which variant; null where there is none
    sku_id text collate "C",
    -- its name when it was ordered
    name text collate "C" not null,
    -- how many
    quantity bigint not null check (quantity >= 0),
    -- active, or revoked since all that was paid went back
    status text collate "C" not null check (status in ('active', 'revoked')),
    -- when it was paid, as the channel says
    granted_at timestamptz not null,
    -- when all that was paid had gone back; null unless it did
    revoked_at timestamptz,
    -- the log position of the last event applied
    position bigint not null check (position >= 0)
);
create index entitlement_view_order on entitlement_view (order_id);
create index entitlement_view_buyer on entitlement_view (buyer_id, granted_at desc, entitlement_id desc);

-- Columns as in entitlement_view.
create table entitlement_view_rebuild (like entitlement_view including all);
