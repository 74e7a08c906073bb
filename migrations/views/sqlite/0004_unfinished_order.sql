-- The to-do list of the process manager order_upkeep: orders of which something is still to be done or to be waited for.
create table unfinished_order (
    -- the order
    order_id text not null primary key,
    -- the position of the newest event that the list knows of it
    position integer not null,
    -- when that was recorded, in microseconds, UTC
    touched_at integer not null,
    -- when to look at the order next, in microseconds, UTC
    next_at integer not null,
    -- when its channels were asked last, in microseconds, UTC; null if never
    asked_at integer,
    -- the newest event of the order that was known then
    asked_position integer,
    -- the streams of the stock and the coupon that were held for it, with blanks between, in case that it is never made
    reserved text not null default ''
) strict;
create index unfinished_order_due on unfinished_order (next_at);
-- The list of attempts without an outcome is part of the new one.
drop table unfinished_attempt;
