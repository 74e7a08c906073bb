create table unfinished_order (
    order_id text not null primary key,
    position bigint not null,
    touched_at timestamptz not null,
    next_at timestamptz not null,
    asked_at timestamptz,
    asked_position bigint,
    reserved text not null default ''
);
create index unfinished_order_due on unfinished_order (next_at);
comment on table unfinished_order is 'The to-do list of the process manager order_upkeep: orders of which something is still to be done or to be waited for';
comment on column unfinished_order.order_id is 'The order';
comment on column unfinished_order.position is 'The position of the newest event that the list knows of it';
comment on column unfinished_order.touched_at is 'When that was recorded';
comment on column unfinished_order.next_at is 'When to look at the order next';
comment on column unfinished_order.asked_at is 'When its channels were asked last; null if never';
comment on column unfinished_order.asked_position is 'The newest event of the order that was known then';
comment on column unfinished_order.reserved is 'The streams of the stock and the coupon that were held for it, with blanks between, in case that it is never made';
-- The list of attempts without an outcome is part of the new one.
drop table unfinished_attempt;
