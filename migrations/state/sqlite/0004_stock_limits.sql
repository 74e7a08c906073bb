-- Against hoarding: how many of each variant one buyer may hold and have bought; null without a limit.
alter table product add column buyer_limit integer check (buyer_limit > 0);
-- For how many seconds an order of it can be paid, where that is shorter than usual; null for the usual time.
alter table product add column hold_s integer check (hold_s > 0);
