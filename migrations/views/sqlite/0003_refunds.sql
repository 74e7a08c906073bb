-- The read side of refunds, of money that was not owed, and of points. Each table has its twin for rebuilds.

-- What of the payment that paid an order went back by succeeded refunds, in the currency's smallest unit.
alter table order_view add column refunded_amount integer not null default 0 check (refunded_amount >= 0);
alter table order_view_rebuild add column refunded_amount integer not null default 0 check (refunded_amount >= 0);

-- How far the pay records and refunds of an order have taken in its stream: the entity tag of each of them. The column position
-- is from now on that of the last event applied.
alter table pay_record_order add column revision integer not null default 0 check (revision >= 0);
alter table pay_record_order_rebuild add column revision integer not null default 0 check (revision >= 0);

-- The operators' list of all orders.
create index order_view_created on order_view (created_at desc, order_id desc);
create index order_view_rebuild_created on order_view_rebuild (created_at desc, order_id desc);

-- A pay record may also be closing because its order was paid by another. SQLite cannot change a check, so the table is made
-- again with its rows. Both tables go before the indexes are made: a rebuild may have exchanged whose index is whose.
create table pay_record_view_next (
    pay_no text not null primary key,
    order_id text not null,
    buyer_id text not null,
    service text,
    channel text not null,
    amount integer not null check (amount >= 0),
    currency text not null check (length(currency) = 3),
    subject text not null,
    status text not null check (status in ('preparing', 'pending', 'closing', 'confirmed', 'closed', 'failed', 'surplus')),
    code_url text,
    code_expires_at integer,
    expires_at integer not null,
    issued_at integer not null,
    trade_no text,
    paid_at integer,
    paid_at_offset text,
    received_at integer,
    failure_code text,
    closing_cause text check (closing_cause in ('order_cancelled', 'order_expired', 'channel_switched', 'code_expired', 'order_paid')),
    closed_proof text check (closed_proof in ('channel_closed', 'never_shown', 'absent_after_grace', 'unproven')),
    updated_at integer not null,
    revision integer not null check (revision >= 0),
    position integer not null check (position >= 0)
) strict;
insert into pay_record_view_next select * from pay_record_view;
drop table pay_record_view;
drop table pay_record_view_rebuild;
alter table pay_record_view_next rename to pay_record_view;
create table pay_record_view_rebuild (
    pay_no text not null primary key,
    order_id text not null,
    buyer_id text not null,
    service text,
    channel text not null,
    amount integer not null check (amount >= 0),
    currency text not null check (length(currency) = 3),
    subject text not null,
    status text not null check (status in ('preparing', 'pending', 'closing', 'confirmed', 'closed', 'failed', 'surplus')),
    code_url text,
    code_expires_at integer,
    expires_at integer not null,
    issued_at integer not null,
    trade_no text,
    paid_at integer,
    paid_at_offset text,
    received_at integer,
    failure_code text,
    closing_cause text check (closing_cause in ('order_cancelled', 'order_expired', 'channel_switched', 'code_expired', 'order_paid')),
    closed_proof text check (closed_proof in ('channel_closed', 'never_shown', 'absent_after_grace', 'unproven')),
    updated_at integer not null,
    revision integer not null check (revision >= 0),
    position integer not null check (position >= 0)
) strict;
create index pay_record_view_order on pay_record_view (order_id, pay_no);
create index pay_record_view_rebuild_order on pay_record_view_rebuild (order_id, pay_no);

-- A course selection is ended by the refund of all that was paid; ends_at is then when the money went back.
create table course_selection_view_next (
    selection_id text not null primary key,
    buyer_id text not null,
    course_id text not null,
    title text not null,
    charge text not null check (charge in ('free', 'paid')),
    price_amount integer not null check (price_amount >= 0),
    currency text not null check (length(currency) = 3),
    price_version integer not null,
    starts_at integer,
    valid_days integer check (valid_days >= 0),
    status text not null check (status in ('unpaid', 'active', 'ended')),
    order_id text,
    opened_at integer,
    ends_at integer,
    selected_at integer not null,
    revision integer not null check (revision >= 0),
    position integer not null check (position >= 0)
) strict;
insert into course_selection_view_next select * from course_selection_view;
drop table course_selection_view;
drop table course_selection_view_rebuild;
alter table course_selection_view_next rename to course_selection_view;
create table course_selection_view_rebuild (
    selection_id text not null primary key,
    buyer_id text not null,
    course_id text not null,
    title text not null,
    charge text not null check (charge in ('free', 'paid')),
    price_amount integer not null check (price_amount >= 0),
    currency text not null check (length(currency) = 3),
    price_version integer not null,
    starts_at integer,
    valid_days integer check (valid_days >= 0),
    status text not null check (status in ('unpaid', 'active', 'ended')),
    order_id text,
    opened_at integer,
    ends_at integer,
    selected_at integer not null,
    revision integer not null check (revision >= 0),
    position integer not null check (position >= 0)
) strict;
create index course_selection_view_buyer on course_selection_view (buyer_id, course_id, selected_at desc);
create index course_selection_view_rebuild_buyer on course_selection_view_rebuild (buyer_id, course_id, selected_at desc);

-- One row a refund. Fed by the follower pay_records, which knows the order's buyer.
create table refund_view (
    -- its number: the order's, R and two digits; the same in every repeat to the channel
    refund_no text not null primary key,
    -- its order
    order_id text not null,
    -- the order's buyer; others find nothing
    buyer_id text not null,
    -- the subject of the business system that made the order; null where Paystream itself did
    service text,
    -- the pay record whose money goes back
    pay_no text not null,
    -- the channel's number of the payment that goes back
    trade_no text not null,
    -- how much, in the currency's smallest unit (fen)
    amount integer not null check (amount >= 0),
    -- ISO 4217 code
    currency text not null check (length(currency) = 3),
    -- how far it has come, in the contract's words
    status text not null check (status in ('requested', 'processing', 'succeeded', 'failed', 'needs_operator')),
    -- why money goes back
    cause text not null check (cause in ('paid_twice', 'after_cancel', 'amount_mismatch', 'late', 'operator', 'channel_side')),
    -- what the operator who wished it said
    reason text,
    -- the channel's word for why it failed or needs an operator
    code text,
    -- when it was requested, or seen at the channel
    requested_at integer not null,
    -- when the money went back, as the channel says
    refunded_at integer,
    -- when the log took the last event applied
    updated_at integer not null,
    -- the revision, on the order's stream, of the last event about this refund
    revision integer not null check (revision >= 0),
    -- the log position of that event
    position integer not null check (position >= 0)
) strict;
create index refund_view_order on refund_view (order_id, refund_no);

-- Columns as in refund_view.
create table refund_view_rebuild (
    refund_no text not null primary key,
    order_id text not null,
    buyer_id text not null,
    service text,
    pay_no text not null,
    trade_no text not null,
    amount integer not null check (amount >= 0),
    currency text not null check (length(currency) = 3),
    status text not null check (status in ('requested', 'processing', 'succeeded', 'failed', 'needs_operator')),
    cause text not null check (cause in ('paid_twice', 'after_cancel', 'amount_mismatch', 'late', 'operator', 'channel_side')),
    reason text,
    code text,
    requested_at integer not null,
    refunded_at integer,
    updated_at integer not null,
    revision integer not null check (revision >= 0),
    position integer not null check (position >= 0)
) strict;
create index refund_view_rebuild_order on refund_view_rebuild (order_id, refund_no);

-- One row a payment that was not owed, or came too late. Fed by the follower surplus_payments.
create table surplus_payment_view (
    -- opaque to clients: the pay record's number, - and the channel's number; the stream's name where no pay record is known
    surplus_id text not null primary key,
    -- the stream that tells of it: order-{order_id} or unknown_capture-{wallet}-{trade_no}
    stream_id text not null,
    -- why it was not owed, or not yet
    kind text not null check (kind in ('paid_twice', 'after_cancel', 'amount_mismatch', 'late', 'unmatched')),
    -- the order; null where none is known
    order_id text,
    -- the pay record; null where none is known
    pay_no text,
    -- the number that the channel says is ours
    out_trade_no text not null,
    -- the contract's word for the channel; the wallet where no pay record is known
    channel text not null,
    -- the channel's number of the payment
    trade_no text not null,
    -- what came, in the currency's smallest unit (fen), as the channel says
    amount integer not null check (amount >= 0),
    -- ISO 4217 code
    currency text not null check (length(currency) = 3),
    -- when it was paid, as the channel says; null where it does not
    paid_at integer,
    -- when we learned of it
    received_at integer not null,
    -- what has become of it; made of the columns below
    state text not null check (state in ('open', 'revived', 'refunding', 'refunded', 'needs_operator', 'resolved')),
    -- the refund that gives it back, or tried to
    refund_no text,
    -- how far that refund has come; exhausted where its order has no refund number left
    refund_status text check (refund_status in ('requested', 'processing', 'succeeded', 'failed', 'needs_operator', 'exhausted')),
    -- what of it went back, in the currency's smallest unit
    refunded_amount integer not null check (refunded_amount >= 0),
    -- what the operator said who has dealt with it
    resolved_reason text,
    -- the revision, on its stream, of the last event applied
    revision integer not null check (revision >= 0),
    -- the log position of that event
    position integer not null check (position >= 0)
) strict;
create index surplus_payment_view_stream on surplus_payment_view (stream_id);
create index surplus_payment_view_received on surplus_payment_view (received_at desc, surplus_id desc);
create index surplus_payment_view_state on surplus_payment_view (state, received_at desc, surplus_id desc);

-- Columns as in surplus_payment_view.
create table surplus_payment_view_rebuild (
    surplus_id text not null primary key,
    stream_id text not null,
    kind text not null check (kind in ('paid_twice', 'after_cancel', 'amount_mismatch', 'late', 'unmatched')),
    order_id text,
    pay_no text,
    out_trade_no text not null,
    channel text not null,
    trade_no text not null,
    amount integer not null check (amount >= 0),
    currency text not null check (length(currency) = 3),
    paid_at integer,
    received_at integer not null,
    state text not null check (state in ('open', 'revived', 'refunding', 'refunded', 'needs_operator', 'resolved')),
    refund_no text,
    refund_status text check (refund_status in ('requested', 'processing', 'succeeded', 'failed', 'needs_operator', 'exhausted')),
    refunded_amount integer not null check (refunded_amount >= 0),
    resolved_reason text,
    revision integer not null check (revision >= 0),
    position integer not null check (position >= 0)
) strict;
create index surplus_payment_view_rebuild_stream on surplus_payment_view_rebuild (stream_id);
create index surplus_payment_view_rebuild_received on surplus_payment_view_rebuild (received_at desc, surplus_id desc);
create index surplus_payment_view_rebuild_state on surplus_payment_view_rebuild (state, received_at desc, surplus_id desc);

-- One row for each time that an order gave points or took them back; a balance is their sum. Fed by the consumer points
-- from PaymentConfirmed and RefundSucceeded.
create table point_entry_view (
    -- the order's number, - and the cause: an order gives points once and takes them back once
    entry_id text not null primary key,
    -- the order
    order_id text not null,
    -- whose points they are
    buyer_id text not null,
    -- what gave or took them
    cause text not null check (cause in ('payment', 'refund')),
    -- how many; below zero where they are taken back
    points integer not null,
    -- when the order was paid or its money went back, as the channel says
    entered_at integer not null,
    -- the log position of that event
    position integer not null check (position >= 0)
) strict;
create index point_entry_view_order on point_entry_view (order_id);
create index point_entry_view_buyer on point_entry_view (buyer_id, entered_at desc, entry_id desc);

-- Columns as in point_entry_view.
create table point_entry_view_rebuild (
    entry_id text not null primary key,
    order_id text not null,
    buyer_id text not null,
    cause text not null check (cause in ('payment', 'refund')),
    points integer not null,
    entered_at integer not null,
    position integer not null check (position >= 0)
) strict;
create index point_entry_view_rebuild_order on point_entry_view_rebuild (order_id);
create index point_entry_view_rebuild_buyer on point_entry_view_rebuild (buyer_id, entered_at desc, entry_id desc);

-- Refunds that were requested before they had a table are told once more; rows that have an event already stay as they are.
update follower_checkpoint set generation = generation + 1, position = 0 where name = 'pay_records';
