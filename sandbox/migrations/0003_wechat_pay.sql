-- WeChat Pay beside Alipay, and what its protocols need to have kept.

-- What WeChat Pay keeps of a trade beside what all wallets do, as JSON: its protocol, prepay id, digest of the request and
-- payer. Null for other wallets' trades.
alter table trade add column wechat text;

-- By whose rules it is delivered: alipay, wechat_v3 or wechat_v2.
alter table notification add column protocol text not null default 'alipay' check (protocol in ('alipay', 'wechat_v3', 'wechat_v2'));
-- 1 if the first delivery carries a signature that is wrong on purpose.
alter table notification add column probe integer not null default 0 check (probe in (0, 1));

-- The channel's own number of a refund; null where the wallet has none.
alter table refund add column channel_no text;
-- How it ends: succeeded, closed or abnormal.
alter table refund add column outcome text not null default 'succeeded' check (outcome in ('succeeded', 'closed', 'abnormal'));
-- When that is known; null for at once.
alter table refund add column settles_at integer;
-- Why the merchant gave it back, in the merchant's words.
alter table refund add column reason text;
-- 1 if staff made it on the channel's website, 0 if the merchant's program did.
alter table refund add column by_staff integer not null default 0 check (by_staff in (0, 1));

create unique index refund_channel_no on refund (channel_no) where channel_no is not null;
create index refund_request_no on refund (request_no);
-- Bills read a day of payments and of refunds.
create index trade_paid_at on trade (paid_at) where paid_at is not null;
create index refund_refunded_at on refund (refunded_at);
