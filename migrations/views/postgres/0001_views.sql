-- What queries read. Everything here may be dropped and made again from the log: paystream rebuild <view>.
-- Money is a whole number of the currency's smallest unit. Ids compare byte by byte (collation C), as in the other stores.

-- How far each follower has come. A row moves in the same transaction as the tables that it speaks of.
create table follower_checkpoint (
    -- the follower: orders, pay_records, course_selections; with the suffix :rebuild while its tables are made again
    name text collate "C" not null primary key,
    -- rises when a rebuild replaces the tables, so that a worker of the earlier ones notices
    generation bigint not null check (generation > 0),
    -- the log position up to which everything is in the tables; 0 before the first event
    position bigint not null check (position >= 0)
);

-- One row an order, as its stream says. Fed by the follower orders.
create table order_view (
    -- the order's number, plain decimal
    order_id text collate "C" not null primary key,
    -- who buys; others find nothing
    buyer_id text collate "C" not null,
    -- the subject of the business system that made it; null where Paystream itself did
    service text collate "C",
    -- what kind of business it is: course, goods, … or a business system's own word
    order_type text collate "C" not null,
    -- its number in that business, for instance a course selection's
    out_business_id text collate "C" not null,
    -- what it was made from
    source text collate "C" not null check (source in ('course_selection', 'product', 'business')),
    -- what the buyer reads
    title text not null,
    -- more of it
    description text,
    -- where the buyer sat
    client text collate "C" not null check (client in ('web', 'app', 'h5', 'mini_program', 'official_account')),
    -- what is owed, in the currency's smallest unit (fen)
    amount bigint not null check (amount >= 0),
    -- ISO 4217 code
    currency text collate "C" not null check (length(currency) = 3),
    -- how far it has come, in the contract's words
    status text collate "C" not null check (status in ('awaiting_payment', 'closing', 'paid', 'completed', 'cancelled', 'expired')),
    -- what of its money has come
    payment_status text collate "C" not null check (payment_status in ('unpaid', 'paid', 'partially_refunded', 'refunded')),
    -- none where nothing is shipped
    shipping_status text collate "C" not null check (shipping_status in ('none', 'unshipped', 'shipped', 'received')),
    -- its lines: a JSON array of {goods_id, sku_id?, name, quantity, unit_price_amount}; read whole, never searched
    items_json text not null,
    -- when it was made
    created_at timestamptz not null,
    -- until when it can be paid
    expires_at timestamptz not null,
    -- when it was paid, as the channel says; null until then
    paid_at timestamptz,
    -- when it ended unpaid; null until then and after it was revived
    ended_at timestamptz,
    -- the pay record that paid it
    paid_pay_no text collate "C",
    -- the channel's number of the payment that paid it
    trade_no text collate "C",
    -- what the one who wished its end said
    end_reason text,
    -- when the log took the last event applied
    updated_at timestamptz not null,
    -- the last revision of the stream order-{order_id} that was applied, its pay records' events included
    revision bigint not null check (revision >= 0),
    -- the log position of that event
    position bigint not null check (position >= 0)
);

create index order_view_buyer on order_view (buyer_id, created_at desc, order_id desc);
create index order_view_service on order_view (service, created_at desc, order_id desc) where service is not null;

-- One row an attempt to pay an order through one channel. Fed by the follower pay_records.
create table pay_record_view (
    -- its number: the order's and two digits; the channel's out_trade_no
    pay_no text collate "C" not null primary key,
    -- the order that it pays
    order_id text collate "C" not null,
    -- the order's buyer; others find nothing
    buyer_id text collate "C" not null,
    -- the subject of the business system that made the order; null where Paystream itself did
    service text collate "C",
    -- the contract's word for the channel, for instance alipay_qr
    channel text collate "C" not null,
    -- what is asked for, in the currency's smallest unit (fen)
    amount bigint not null check (amount >= 0),
    -- ISO 4217 code
    currency text collate "C" not null check (length(currency) = 3),
    -- what the buyer reads in the wallet; the order's title where no channel is asked
    subject text not null,
    -- how far it has come, in the contract's words
    status text collate "C" not null check (status in ('preparing', 'pending', 'closing', 'confirmed', 'closed', 'failed', 'surplus')),
    -- what the channel's QR holds; null until the channel gave it
    code_url text collate "C",
    -- until when that code can be scanned
    code_expires_at timestamptz,
    -- until when it can be paid: the channel's time_expire, else the order's expiry
    expires_at timestamptz not null,
    -- when it was issued
    issued_at timestamptz not null,
    -- the channel's number of the payment that confirmed it, else of the first it told of; null until money came
    trade_no text collate "C",
    -- when that was paid, as the channel says
    paid_at timestamptz,
    -- the offset from UTC in which the channel wrote that time, for instance +08:00
    paid_at_offset text collate "C",
    -- when we learned of it
    received_at timestamptz,
    -- the channel's word for why it refused
    failure_code text collate "C",
    -- why it is to end
    closing_cause text collate "C" check (closing_cause in ('order_cancelled', 'order_expired', 'channel_switched', 'code_expired')),
    -- how it is known that it ended unpaid
    closed_proof text collate "C" check (closed_proof in ('channel_closed', 'never_shown', 'absent_after_grace', 'unproven')),
    -- when the log took the last event applied
    updated_at timestamptz not null,
    -- the revision, on the order's stream, of the last event about this pay record
    revision bigint not null check (revision >= 0),
    -- the log position of that event
    position bigint not null check (position >= 0)
);

create index pay_record_view_order on pay_record_view (order_id, pay_no);

-- What the follower pay_records keeps of each order, because a pay record's events do not repeat it. Nobody else reads it.
create table pay_record_order (
    -- the order's number
    order_id text collate "C" not null primary key,
    -- the order's buyer
    buyer_id text collate "C" not null,
    -- the subject of the business system that made the order
    service text collate "C",
    -- what the buyer reads
    title text not null,
    -- until when the order can be paid
    expires_at timestamptz not null,
    -- the log position of OrderCreated
    position bigint not null check (position >= 0)
);

-- One row a course selection. Fed by the consumer course_selections from CourseSelected and PaymentConfirmed.
create table course_selection_view (
    -- the selection's number; its order has it as out_business_id
    selection_id text collate "C" not null primary key,
    -- who chose
    buyer_id text collate "C" not null,
    -- which course
    course_id text collate "C" not null,
    -- the course's title when it was chosen
    title text not null,
    -- whether the course costs something
    charge text collate "C" not null check (charge in ('free', 'paid')),
    -- its price then, in the currency's smallest unit (fen)
    price_amount bigint not null check (price_amount >= 0),
    -- ISO 4217 code
    currency text collate "C" not null check (length(currency) = 3),
    -- the version of that price in the catalogue
    price_version bigint not null,
    -- when the course begins, where it has a date
    starts_at timestamptz,
    -- for how many days from its opening or beginning it may be used; null without an end
    valid_days bigint check (valid_days >= 0),
    -- active once opened; it has ended when ends_at is past, which no event says
    status text collate "C" not null check (status in ('unpaid', 'active')),
    -- the order whose payment opened it; null while unpaid and where it is free
    order_id text collate "C",
    -- when it was opened: when it was paid, or chosen where it is free
    opened_at timestamptz,
    -- when its time is over; null while unpaid or without an end
    ends_at timestamptz,
    -- when it was chosen
    selected_at timestamptz not null,
    -- the last revision of the stream course_selection-{selection_id} that was applied
    revision bigint not null check (revision >= 0),
    -- the log position of the last event applied, the payment included
    position bigint not null check (position >= 0)
);

create index course_selection_view_buyer on course_selection_view (buyer_id, course_id, selected_at desc);

-- One row a course in a learner's course table: the selections that were opened. Fed by the consumer course_selections.
create table course_table_view (
    -- the selection's number
    selection_id text collate "C" not null primary key,
    -- whose course table it is
    buyer_id text collate "C" not null,
    -- which course
    course_id text collate "C" not null,
    -- the course's title when it was chosen
    title text not null,
    -- the order whose payment opened it; null where it is free
    order_id text collate "C",
    -- when it was opened: when it was paid, or chosen where it is free
    opened_at timestamptz not null,
    -- from when on it may be used
    starts_at timestamptz not null,
    -- until when; null without an end
    ends_at timestamptz,
    -- the log position of the event that opened it
    position bigint not null check (position >= 0)
);

create index course_table_view_buyer on course_table_view (buyer_id, opened_at desc, selection_id desc);

-- The same tables once more, empty but for the time of a rebuild, which fills them and then exchanges their names with
-- those above. A change of a table above is made to its twin too.

-- Columns as in order_view.
create table order_view_rebuild (like order_view including all);

-- Columns as in pay_record_view.
create table pay_record_view_rebuild (like pay_record_view including all);

-- Columns as in pay_record_order.
create table pay_record_order_rebuild (like pay_record_order including all);

-- Columns as in course_selection_view.
create table course_selection_view_rebuild (like course_selection_view including all);

-- Columns as in course_table_view.
create table course_table_view_rebuild (like course_table_view including all);
