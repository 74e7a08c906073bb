-- What the simulated channels keep. Nothing here is Paystream's: it is the other side's memory.
-- Times are integer microseconds since 1970-01-01T00:00:00Z; money is in fen.

-- Single values: the merchant account, its throwaway keys, the clock's offset.
create table setting (
    -- What it is, for instance alipay.app_id.
    name text primary key,
    value text not null
) strict;

-- A trade, from the code that a merchant asked for to its end.
create table trade (
    trade_id integer primary key,
    -- Whose trade it is: alipay.
    wallet text not null,
    -- The merchant's number.
    out_trade_no text not null,
    -- The channel's number; null until a buyer has scanned the code.
    trade_no text unique,
    -- coded, awaiting_buyer, closed or paid. What time alone has ended is not written here.
    status text not null check (status in ('coded', 'awaiting_buyer', 'closed', 'paid')),
    -- How many changes there were.
    revision integer not null,
    -- What the merchant asked for, in fen.
    amount_minor integer not null check (amount_minor > 0),
    -- What was paid, in fen; null until then.
    paid_amount_minor integer check (paid_amount_minor > 0),
    -- The merchant's texts, as sent.
    subject text not null,
    body text,
    passback_params text,
    -- The character set that the merchant speaks.
    charset text not null,
    -- Where notifications go; null for nowhere.
    notify_url text,
    -- When the code was made.
    coded_at integer not null,
    -- From then on the code cannot be scanned.
    code_expires_at integer not null,
    -- From then on the buyer cannot pay; null until a scan where the merchant named no time.
    expires_at integer,
    -- How long the buyer may take from the scan, in seconds, where the merchant named no time.
    life_s integer not null,
    scanned_at integer,
    paid_at integer,
    closed_at integer,
    unique (wallet, out_trade_no)
) strict;

-- A signed message about a trade and how far its delivery is.
create table notification (
    notification_id integer primary key,
    trade_id integer not null references trade (trade_id),
    -- The channel's id of the message; repeats carry the same.
    notify_id text not null unique,
    -- 1 if the channel signed it, 0 if it is forged.
    genuine integer not null check (genuine in (0, 1)),
    -- Where it goes; null for nowhere.
    url text,
    content_type text not null,
    -- The message as it is sent.
    body text not null,
    -- pending, delivered, given_up or withheld.
    status text not null check (status in ('pending', 'delivered', 'given_up', 'withheld')),
    -- How many are sent at once on the first delivery.
    copies integer not null check (copies in (1, 2)),
    attempts integer not null default 0,
    -- How many deliveries are tried at most.
    attempts_allowed integer not null,
    -- When the first delivery is due; the ladder counts from it.
    first_due_at integer,
    -- When the next delivery is due; null unless pending.
    next_due_at integer,
    -- What became of the last delivery, in words.
    last_outcome text,
    check ((status = 'pending') = (next_due_at is not null))
) strict;

create index notification_trade on notification (trade_id);
create index notification_due on notification (next_due_at) where next_due_at is not null;

-- Faults that were asked for and have not hit every call yet.
create table fault (
    fault_id integer primary key,
    -- Whose calls are hit; null for any channel's.
    wallet text,
    -- precreate, query or close.
    operation text not null,
    -- refuse, timeout_before or timeout_after.
    fault text not null,
    -- How many calls it will still hit.
    remaining integer not null check (remaining >= 0)
) strict;

create index fault_remaining on fault (operation) where remaining > 0;
