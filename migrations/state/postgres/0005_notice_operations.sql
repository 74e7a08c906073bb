-- What operators see of kept notifications, and what they did with them.
alter table notice_inbox
    add column trade_no        text,
    add column amount          bigint check (amount >= 0),
    add column currency        text check (length(currency) = 3),
    add column news            text,
    add column state           text not null default 'settled' check (state in ('open', 'settled')),
    add column action          text check (action in ('assigned', 'dismissed', 'rejudged')),
    add column action_by       text,
    add column action_at       timestamptz,
    add column action_reason   text,
    add column assigned_pay_no text;
comment on column notice_inbox.trade_no is 'the channel''s own number, where the notice is genuine and could be read';
comment on column notice_inbox.amount is 'the amount of the payment that it names, in the currency''s smallest unit (fen), where it is genuine and could be read';
comment on column notice_inbox.currency is 'ISO 4217 code of that amount';
comment on column notice_inbox.news is 'what it tells: paid, finished, awaiting_buyer, closed, refunded, unclear; where it is genuine and could be read';
comment on column notice_inbox.state is 'open where an operator is to look at it';
comment on column notice_inbox.action is 'what an operator did with it last; assigned and dismissed end it';
comment on column notice_inbox.action_by is 'the operator, as the log names actors';
comment on column notice_inbox.action_at is 'when the operator did it';
comment on column notice_inbox.action_reason is 'why, in the operator''s words';
comment on column notice_inbox.assigned_pay_no is 'the pay record that its money was assigned to';

update notice_inbox set state = 'open' where is_authentic = 1 and verdict not in ('recorded', 'nothing', 'settled_by_query');

create index notice_inbox_by_state on notice_inbox (state, notice_inbox_id);
create index notice_inbox_by_verdict on notice_inbox (verdict, notice_inbox_id);
create index notice_inbox_by_trade on notice_inbox (wallet, trade_no);
create index notice_inbox_by_age on notice_inbox (is_authentic, last_received_at);
