-- The read side of stock and coupons. Each table has its twin for rebuilds.

-- One row a SKU. Fed by the follower stock.
create table stock_view (
    -- the article's variant
    sku_id text not null primary key,
    -- in the house and not sold, held or not
    on_hand integer not null check (on_hand >= 0),
    -- of these, held for orders; what is available is the difference
    reserved integer not null check (reserved >= 0),
    -- sold and not returned
    sold integer not null check (sold >= 0),
    -- the last revision of the stream stock-{sku_id} that was applied
    revision integer not null check (revision >= 0),
    -- the log position of that event
    position integer not null check (position >= 0)
) strict;

-- Columns as in stock_view.
create table stock_view_rebuild (
    sku_id text not null primary key,
    on_hand integer not null check (on_hand >= 0),
    reserved integer not null check (reserved >= 0),
    sold integer not null check (sold >= 0),
    revision integer not null check (revision >= 0),
    position integer not null check (position >= 0)
) strict;

-- One row a coupon. Fed by the follower coupons.
create table coupon_view (
    -- its number
    coupon_id text not null primary key,
    -- whose it is; others find nothing
    buyer_id text not null,
    -- the order whose payment it was granted for
    order_id text not null,
    -- what it takes off one order, in the currency's smallest unit (fen)
    discount_amount integer not null check (discount_amount >= 0),
    -- the least sum of an order that it can be set against, in the currency's smallest unit
    least_amount integer not null check (least_amount >= 0),
    -- ISO 4217 code
    currency text not null check (length(currency) = 3),
    -- how it stands; that it is past expires_at no event says
    status text not null check (status in ('usable', 'reserved', 'used', 'withdrawn')),
    -- the order that it is held for or was set against; null while it is neither
    used_by text,
    -- when it was granted
    granted_at integer not null,
    -- until when it can be set against an order
    expires_at integer not null,
    -- the last revision of the stream coupon-{coupon_id} that was applied
    revision integer not null check (revision >= 0),
    -- the log position of that event
    position integer not null check (position >= 0)
) strict;
create index coupon_view_buyer on coupon_view (buyer_id, granted_at desc, coupon_id desc);

-- Columns as in coupon_view.
create table coupon_view_rebuild (
    coupon_id text not null primary key,
    buyer_id text not null,
    order_id text not null,
    discount_amount integer not null check (discount_amount >= 0),
    least_amount integer not null check (least_amount >= 0),
    currency text not null check (length(currency) = 3),
    status text not null check (status in ('usable', 'reserved', 'used', 'withdrawn')),
    used_by text,
    granted_at integer not null,
    expires_at integer not null,
    revision integer not null check (revision >= 0),
    position integer not null check (position >= 0)
) strict;
create index coupon_view_rebuild_buyer on coupon_view_rebuild (buyer_id, granted_at desc, coupon_id desc);
