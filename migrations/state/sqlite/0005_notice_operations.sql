-- What operators see of kept notifications, and what they did with them.

-- the channel's own number, where the notice is genuine and could be read
alter table notice_inbox add column trade_no text;
-- the amount of the payment that it names, in the currency's smallest unit (fen), where it is genuine and could be read
alter table notice_inbox add column amount integer check (amount >= 0);
-- ISO 4217 code of that amount
alter table notice_inbox add column currency text check (length(currency) = 3);
-- what it tells: paid, finished, awaiting_buyer, closed, refunded, unclear; where it is genuine and could be read
alter table notice_inbox add column news text;
-- open where an operator is to look at it
alter table notice_inbox add column state text not null default 'settled' check (state in ('open', 'settled'));
-- what an operator did with it last; assigned and dismissed end it
alter table notice_inbox add column action text check (action in ('assigned', 'dismissed', 'rejudged'));
-- the operator, as the log names actors
alter table notice_inbox add column action_by text;
-- when, microseconds, UTC
alter table notice_inbox add column action_at integer;
-- why, in the operator's words
alter table notice_inbox add column action_reason text;
-- the pay record that its money was assigned to
alter table notice_inbox add column assigned_pay_no text;

update notice_inbox set state = 'open' where is_authentic = 1 and verdict not in ('recorded', 'nothing', 'settled_by_query');

create index notice_inbox_by_state on notice_inbox (state, notice_inbox_id);
create index notice_inbox_by_verdict on notice_inbox (verdict, notice_inbox_id);
create index notice_inbox_by_trade on notice_inbox (wallet, trade_no);
create index notice_inbox_by_age on notice_inbox (is_authentic, last_received_at);
