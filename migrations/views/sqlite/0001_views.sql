-- What queries read. Everything here may be dropped and made again from the log: paystream rebuild <view>.
-- Times are integer microseconds since 1970-01-01T00:00:00Z; money is a whole number of the currency's smallest unit.

-- How far each follower has come. A row moves in the same transaction as the tables that it speaks of.
create table follower_checkpoint (
    -- the follower: orders, pay_records, course_selections; with the suffix :rebuild while its tables are made again
    name text not null primary key,
    -- rises when a rebuild replaces the tables, so that a worker of the earlier ones notices
    generation integer not null check (generation > 0),
    -- the log position up to which everything is in the tables; 0 before the first event
    position integer not null check (position >= 0)
) strict;

-- One row an order, as its stream says. Fed by the follower orders.
create table order_view (
    -- the order's number, plain decimal
    order_id text not null primary key,
    -- who buys; others find nothing
    buyer_id text not null,
    -- the subject of the business system that made it; null where Paystream itself did
    service text,
    -- what kind of business it is: course, goods, … or a business system's own word
    order_type text not null,
    -- its number in that business, for instance a course selection's
    out_business_id text not null,
    -- what it was made from
    source text not null check (source in ('course_selection', 'product', 'business')),
    -- what the buyer reads
    title text not null,
    -- more of it
    description text,
    -- where the buyer sat
    client text not null check (client in ('web', 'app', 'h5', 'mini_program', 'official_account')),
    -- what is owed, in the currency's smallest unit (fen)
    amount integer not null check (amount >= 0),
    -- ISO 4217 code
    currency text not null check (length(currency) = 3),
    -- how far it has come, in the contract's words
    status text not null check (status in ('awaiting_payment', 'closing', 'paid', 'completed', 'cancelled', 'expired')),
    -- what of its money has come
    payment_status text not null check (payment_status in ('unpaid', 'paid', 'partially_refunded', 'refunded')),
    -- none where nothing is shipped
    shipping_status text not null check (shipping_status in ('none', 'unshipped', 'shipped', 'received')),
    -- its lines: a JSON array of {goods_id, sku_id?, name, quantity, unit_price_amount}; read whole, never searched
    items_json text not null,
    -- when it was made
    created_at integer not null,
    -- until when it can be paid
    expires_at integer not null,
    -- when it was paid, as the channel says; null until then
    paid_at integer,
    -- when it ended unpaid; null until then and after it was revived
    ended_at integer,
    -- the pay record that paid it
    paid_pay_no text,
    -- the channel's number of the payment that paid it
    trade_no text,
    -- what the one who wished its end said
    end_reason text,
    -- when the log took the last event applied
    updated_at integer not null,
    -- the last revision of the stream order-{order_id} that was applied, its pay records' events included
    revision integer not null check (revision >= 0),
    -- the log position of that event
    position integer not null check (position >= 0)
) strict;

create index order_view_buyer on order_view (buyer_id, created_at desc, order_id desc);
create index order_view_service on order_view (service, created_at desc, order_id desc) where service is not null;

-- One row an attempt to pay an order through one channel. Fed by the follower pay_records.
create table pay_record_view (
    -- its number: the order's and two digits; the channel's out_trade_no
    pay_no text not null primary key,
    -- the order that it pays
    order_id text not null,
    -- the order's buyer; others find nothing
    buyer_id text not null,
    -- the subject of the business system that made the order; null where Paystream itself did
    service text,
    -- the contract's word for the channel, for instance alipay_qr
    channel text not null,
    -- what is asked for, in the currency's smallest unit (fen)
    amount integer not null check (amount >= 0),
    -- ISO 4217 code
    currency text not null check (length(currency) = 3),
    -- what the buyer reads in the wallet; the order's title where no channel is asked
    subject text not null,
    -- how far it has come, in the contract's words
    status text not null check (status in ('preparing', 'pending', 'closing', 'confirmed', 'closed', 'failed', 'surplus')),
    -- what the channel's QR holds; null until the channel gave it
    code_url text,
    -- until when that code can be scanned
    code_expires_at integer,
    -- until when it can be paid: the channel's time_expire, else the order's expiry
    expires_at integer not null,
    -- when it was issued
    issued_at integer not null,
    -- the channel's number of the payment that confirmed it, else of the first it told of; null until money came
    trade_no text,
    -- when that was paid, as the channel says
    paid_at integer,
    -- the offset from UTC in which the channel wrote that time, for instance +08:00
    paid_at_offset text,
    -- when we learned of it
    received_at integer,
    -- the channel's word for why it refused
    failure_code text,
    -- why it is to end
    closing_cause text check (closing_cause in ('order_cancelled', 'order_expired', 'channel_switched', 'code_expired')),
    -- how it is known that it ended unpaid
    closed_proof text check (closed_proof in ('channel_closed', 'never_shown', 'absent_after_grace', 'unproven')),
    -- when the log took the last event applied
    updated_at integer not null,
    -- the revision, on the order's stream, of the last event about this pay record
    revision integer not null check (revision >= 0),
    -- the log position of that event
    position integer not null check (position >= 0)
) strict;

create index pay_record_view_order on pay_record_view (order_id, pay_no);

-- What the follower pay_records keeps of each order, because a pay record's events do not repeat it. Nobody else reads it.
create table pay_record_order (
    -- the order's number
    order_id text not null primary key,
    -- the order's buyer
    buyer_id text not null,
    -- the subject of the business system that made the order
    service text,
    -- what the buyer reads
    title text not null,
    -- until when the order can be paid
    expires_at integer not null,
    -- the log position of OrderCreated
    position integer not null check (position >= 0)
) strict;

-- One row a course selection. Fed by the consumer course_selections from CourseSelected and PaymentConfirmed.
create table course_selection_view (
    -- the selection's number; its order has it as out_business_id
    selection_id text not null primary key,
    -- who chose
    buyer_id text not null,
    -- which course
    course_id text not null,
    -- the course's title when it was chosen
    title text not null,
    -- whether the course costs something
    charge text not null check (charge in ('free', 'paid')),
    -- its price then, in the currency's smallest unit (fen)
    price_amount integer not null check (price_amount >= 0),
    -- ISO 4217 code
    currency text not null check (length(currency) = 3),
    -- the version of that price in the catalogue
    price_version integer not null,
    -- when the course begins, where it has a date
    starts_at integer,
    -- for how many days from its opening or beginning it may be used; null without an end
    valid_days integer check (valid_days >= 0),
    -- active once opened; it has ended when ends_at is past, which no event says
    status text not null check (status in ('unpaid', 'active')),
    -- the order whose payment opened it; null while unpaid and where it is free
    order_id text,
    -- when it was opened: when it was paid, or chosen where it is free
    opened_at integer,
    -- when its time is over; null while unpaid or without an end
    ends_at integer,
    -- when it was chosen
    selected_at integer not null,
    -- the last revision of the stream course_selection-{selection_id} that was applied
    revision integer not null check (revision >= 0),
    -- the log position of the last event applied, the payment included
    position integer not null check (position >= 0)
) strict;

create index course_selection_view_buyer on course_selection_view (buyer_id, course_id, selected_at desc);

-- One row a course in a learner's course table: the selections that were opened. Fed by the consumer course_selections.
create table course_table_view (
    -- the selection's number
    selection_id text not null primary key,
    -- whose course table it is
    buyer_id text not null,
    -- which course
    course_id text not null,
    -- the course's title when it was chosen
    title text not null,
    -- the order whose payment opened it; null where it is free
    order_id text,
    -- when it was opened: when it was paid, or chosen where it is free
    opened_at integer not null,
    -- from when on it may be used
    starts_at integer not null,
    -- until when; null without an end
    ends_at integer,
    -- the log position of the event that opened it
    position integer not null check (position >= 0)
) strict;

create index course_table_view_buyer on course_table_view (buyer_id, opened_at desc, selection_id desc);

-- The same tables once more, empty but for the time of a rebuild, which fills them and then exchanges their names with
-- those above. A change of a table above is made to its twin too.

-- Columns as in order_view.
create table order_view_rebuild (
    order_id text not null primary key,
    buyer_id text not null,
    service text,
    order_type text not null,
    out_business_id text not null,
    source text not null check (source in ('course_selection', 'product', 'business')),
    title text not null,
    description text,
    client text not null check (client in ('web', 'app', 'h5', 'mini_program', 'official_account')),
    amount integer not null check (amount >= 0),
    currency text not null check (length(currency) = 3),
    status text not null check (status in ('awaiting_payment', 'closing', 'paid', 'completed', 'cancelled', 'expired')),
    payment_status text not null check (payment_status in ('unpaid', 'paid', 'partially_refunded', 'refunded')),
    shipping_status text not null check (shipping_status in ('none', 'unshipped', 'shipped', 'received')),
    items_json text not null,
    created_at integer not null,
    expires_at integer not null,
    paid_at integer,
    ended_at integer,
    paid_pay_no text,
    trade_no text,
    end_reason text,
    updated_at integer not null,
    revision integer not null check (revision >= 0),
    position integer not null check (position >= 0)
) strict;
create index order_view_rebuild_buyer on order_view_rebuild (buyer_id, created_at desc, order_id desc);
create index order_view_rebuild_service on order_view_rebuild (service, created_at desc, order_id desc) where service is not null;

-- Columns as in pay_record_view.
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
    closing_cause text check (closing_cause in ('order_cancelled', 'order_expired', 'channel_switched', 'code_expired')),
    closed_proof text check (closed_proof in ('channel_closed', 'never_shown', 'absent_after_grace', 'unproven')),
    updated_at integer not null,
    revision integer not null check (revision >= 0),
    position integer not null check (position >= 0)
) strict;
create index pay_record_view_rebuild_order on pay_record_view_rebuild (order_id, pay_no);

-- Columns as in pay_record_order.
create table pay_record_order_rebuild (
    order_id text not null primary key,
    buyer_id text not null,
    service text,
    title text not null,
    expires_at integer not null,
    position integer not null check (position >= 0)
) strict;

-- Columns as in course_selection_view.
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
    status text not null check (status in ('unpaid', 'active')),
    order_id text,
    opened_at integer,
    ends_at integer,
    selected_at integer not null,
    revision integer not null check (revision >= 0),
    position integer not null check (position >= 0)
) strict;
create index course_selection_view_rebuild_buyer on course_selection_view_rebuild (buyer_id, course_id, selected_at desc);

-- Columns as in course_table_view.
create table course_table_view_rebuild (
    selection_id text not null primary key,
    buyer_id text not null,
    course_id text not null,
    title text not null,
    order_id text,
    opened_at integer not null,
    starts_at integer not null,
    ends_at integer,
    position integer not null check (position >= 0)
) strict;
create index course_table_view_rebuild_buyer on course_table_view_rebuild (buyer_id, opened_at desc, selection_id desc);
