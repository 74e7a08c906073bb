-- The read side of stock and coupons. Each table has its twin for rebuilds.

-- One row a SKU. Fed by the follower stock.
create table stock_view (
    -- the article's variant
    sku_id text collate "C" not null primary key,
    -- in the house and not sold, held or not
    on_hand bigint not null check (on_hand >= 0),
    -- of these, held for orders; what is available is the difference
    reserved bigint not null check (reserved >= 0),
    -- sold and not returned
    sold bigint not null check (sold >= 0),
    -- the last revision of the stream stock-{sku_id} that was applied
    revision bigint not null check (revision >= 0),
    -- the log position of that event
    position bigint not null check (position >= 0)
);

-- Columns as in stock_view.
create table stock_view_rebuild (like stock_view including all);

-- One row a coupon. Fed by the follower coupons.
create table coupon_view (
    -- its number
    coupon_id text collate "C" not null primary key,
    -- whose it is; others find nothing
    buyer_id text collate "C" not null,
    -- the order whose payment it was granted for
    order_id text collate "C" not null,
    -- what it takes off one order, in the currency's smallest unit (fen)
    discount_amount bigint not null check (discount_amount >= 0),
    -- the least sum of an order that it can be set against, in the currency's smallest unit
    least_amount bigint not null check (least_amount >= 0),
    -- ISO 4217 code
    currency text collate "C" not null check (length(currency) = 3),
    -- how it stands; that it is past expires_at no event says
    status text collate "C" not null check (status in ('usable', 'reserved', 'used', 'withdrawn')),
    -- the order that it is held for or was set against; null while it is neither
    used_by text collate "C",
    -- when it was granted
    granted_at timestamptz not null,
    -- until when it can be set against an order
    expires_at timestamptz not null,
    -- the last revision of the stream coupon-{coupon_id} that was applied
    revision bigint not null check (revision >= 0),
    -- the log position of that event
    position bigint not null check (position >= 0)
);
create index coupon_view_buyer on coupon_view (buyer_id, granted_at desc, coupon_id desc);

-- Columns as in coupon_view.
create table coupon_view_rebuild (like coupon_view including all);
