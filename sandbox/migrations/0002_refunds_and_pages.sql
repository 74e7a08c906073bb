-- Refunds, and payments on the channel's own page.

-- The product that was asked for, by the channel's word; what was there before were codes to scan.
alter table trade add column product_code text not null default 'QR_CODE_OFFLINE';
-- Where the buyer's browser goes after the payment; null for nowhere.
alter table trade add column return_url text;
-- What went back of the payment so far, in fen.
alter table trade add column refunded_minor integer not null default 0 check (refunded_minor >= 0);
-- When something last went back.
alter table trade add column refunded_at integer;

-- Money that went back from a trade.
create table refund (
    refund_id integer primary key,
    trade_id integer not null references trade (trade_id),
    -- The merchant's number of the refund, or the channel's own for one made on the channel's website.
    request_no text not null,
    -- What went back, in fen.
    amount_minor integer not null check (amount_minor > 0),
    refunded_at integer not null,
    unique (trade_id, request_no)
) strict;
