-- The read side of refunds, of money that was not owed, and of points. Each table has its twin for rebuilds.

-- What of the payment that paid an order went back by succeeded refunds, in the currency's smallest unit.
alter table order_view add column refunded_amount bigint not null default 0 check (refunded_amount >= 0);
alter table order_view_rebuild add column refunded_amount bigint not null default 0 check (refunded_amount >= 0);

-- How far the pay records and refunds of an order have taken in its stream: the entity tag of each of them. The column position
-- is from now on that of the last event applied.
alter table pay_record_order add column revision bigint not null default 0 check (revision >= 0);
alter table pay_record_order_rebuild add column revision bigint not null default 0 check (revision >= 0);

-- The operators' list of all orders.
create index order_view_created on order_view (created_at desc, order_id desc);
create index order_view_rebuild_created on order_view_rebuild (created_at desc, order_id desc);

-- A pay record may also be closing because its order was paid by another.
alter table pay_record_view drop constraint pay_record_view_closing_cause_check;
alter table pay_record_view add constraint pay_record_view_closing_cause_check check (closing_cause in ('order_cancelled', 'order_expired', 'channel_switched', 'code_expired', 'order_paid'));
alter table pay_record_view_rebuild drop constraint pay_record_view_closing_cause_check;
alter table pay_record_view_rebuild add constraint pay_record_view_closing_cause_check check (closing_cause in ('order_cancelled', 'order_expired', 'channel_switched', 'code_expired', 'order_paid'));

-- A course selection is ended by the refund of all that was paid; ends_at is then when the money went back.
alter table course_selection_view drop constraint course_selection_view_status_check;
alter table course_selection_view add constraint course_selection_view_status_check check (status in ('unpaid', 'active', 'ended'));
alter table course_selection_view_rebuild drop constraint course_selection_view_status_check;
alter table course_selection_view_rebuild add constraint course_selection_view_status_check check (status in ('unpaid', 'active', 'ended'));

-- One row a refund. Fed by the follower pay_records, which knows the order's buyer.
create table refund_view (
    -- its number: the order's, R and two digits; the same in every repeat to the channel
    refund_no text collate "C" not null primary key,
    -- its order
    order_id text collate "C" not null,
    -- the order's buyer; others find nothing
    buyer_id text collate "C" not null,
    -- the subject of the business system that made the order; null where Paystream itself did
    service text collate "C",
    -- the pay record whose money goes back
    pay_no text collate "C" not null,
    -- the channel's number of the payment that goes back
    trade_no text collate "C" not null,
    -- how much, in the currency's smallest unit (fen)
    amount bigint not null check (amount >= 0),
    -- ISO 4217 code
    currency text collate "C" not null check (length(currency) = 3),
    -- how far it has come, in the contract's words
    status text collate "C" not null check (status in ('requested', 'processing', 'succeeded', 'failed', 'needs_operator')),
    -- why money goes back
    cause text collate "C" not null check (cause in ('paid_twice', 'after_cancel', 'amount_mismatch', 'late', 'operator', 'channel_side')),
    -- what the operator who wished it said
    reason text,
    -- the channel's word for why it failed or needs an operator
    code text,
    -- when it was requested, or seen at the channel
    requested_at timestamptz not null,
    -- when the money went back, as the channel says
    refunded_at timestamptz,
    -- when the log took the last event applied
    updated_at timestamptz not null,
    -- the revision, on the order's stream, of the last event about this refund
    revision bigint not null check (revision >= 0),
    -- the log position of that event
    position bigint not null check (position >= 0)
);
create index refund_view_order on refund_view (order_id, refund_no);

-- Columns as in refund_view.
create table refund_view_rebuild (like refund_view including all);

-- One row a payment that was not owed, or came too late. Fed by the follower surplus_payments.
create table surplus_payment_view (
    -- opaque to clients: the pay record's number, - and the channel's number; the stream's name where no pay record is known
    surplus_id text collate "C" not null primary key,
    -- the stream that tells of it: order-{order_id} or unknown_capture-{wallet}-{trade_no}
    stream_id text collate "C" not null,
    -- why it was not owed, or not yet
    kind text collate "C" not null check (kind in ('paid_twice', 'after_cancel', 'amount_mismatch', 'late', 'unmatched')),
    -- the order; null where none is known
    order_id text collate "C",
    -- the pay record; null where none is known
    pay_no text collate "C",
    -- the number that the channel says is ours
    out_trade_no text not null,
    -- the contract's word for the channel; the wallet where no pay record is known
    channel text collate "C" not null,
    -- the channel's number of the payment
    trade_no text collate "C" not null,
    -- what came, in the currency's smallest unit (fen), as the channel says
    amount bigint not null check (amount >= 0),
    -- ISO 4217 code
    currency text collate "C" not null check (length(currency) = 3),
    -- when it was paid, as the channel says; null where it does not
    paid_at timestamptz,
    -- when we learned of it
    received_at timestamptz not null,
    -- what has become of it; made of the columns below
    state text collate "C" not null check (state in ('open', 'revived', 'refunding', 'refunded', 'needs_operator', 'resolved')),
    -- the refund that gives it back, or tried to
    refund_no text collate "C",
    -- how far that refund has come; exhausted where its order has no refund number left
    refund_status text collate "C" check (refund_status in ('requested', 'processing', 'succeeded', 'failed', 'needs_operator', 'exhausted')),
    -- what of it went back, in the currency's smallest unit
    refunded_amount bigint not null check (refunded_amount >= 0),
    -- what the operator said who has dealt with it
    resolved_reason text,
    -- the revision, on its stream, of the last event applied
    revision bigint not null check (revision >= 0),
    -- the log position of that event
    position bigint not null check (position >= 0)
);
create index surplus_payment_view_stream on surplus_payment_view (stream_id);
create index surplus_payment_view_received on surplus_payment_view (received_at desc, surplus_id desc);
create index surplus_payment_view_state on surplus_payment_view (state, received_at desc, surplus_id desc);

-- Columns as in surplus_payment_view.
create table surplus_payment_view_rebuild (like surplus_payment_view including all);

-- One row for each time that an order gave points or took them back; a balance is their sum. Fed by the consumer points
-- from PaymentConfirmed and RefundSucceeded.
create table point_entry_view (
    -- the order's number, - and the cause: an order gives points once and takes them back once
    entry_id text collate "C" not null primary key,
    -- the order
    order_id text collate "C" not null,
    -- whose points they are
    buyer_id text collate "C" not null,
    -- what gave or took them
    cause text collate "C" not null check (cause in ('payment', 'refund')),
    -- how many; below zero where they are taken back
    points bigint not null,
    -- when the order was paid or its money went back, as the channel says
    entered_at timestamptz not null,
    -- the log position of that event
    position bigint not null check (position >= 0)
);
create index point_entry_view_order on point_entry_view (order_id);
create index point_entry_view_buyer on point_entry_view (buyer_id, entered_at desc, entry_id desc);

-- Columns as in point_entry_view.
create table point_entry_view_rebuild (like point_entry_view including all);

-- Refunds that were requested before they had a table are told once more; rows that have an event already stay as they are.
update follower_checkpoint set generation = generation + 1, position = 0 where name = 'pay_records';
