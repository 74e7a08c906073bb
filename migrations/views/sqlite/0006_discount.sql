-- What a coupon took off an order: the sum of its lines is what is owed and this.

-- What it took off, in the currency's smallest unit (fen); 0 where none was set against the order.
alter table order_view add column discount_amount integer not null default 0 check (discount_amount >= 0);
alter table order_view_rebuild add column discount_amount integer not null default 0 check (discount_amount >= 0);

-- The coupon; null where none was set against the order.
alter table order_view add column coupon_id text;
alter table order_view_rebuild add column coupon_id text;
