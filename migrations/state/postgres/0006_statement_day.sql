-- What came of comparing a channel's statement of a day with the log: a row for each day of a wallet.
create table statement_day (
    wallet         text        not null,
    statement_date text        not null,
    state          text        not null check (state in ('open', 'matched', 'different', 'missing')),
    tries          bigint      not null check (tries >= 0),
    next_at        timestamptz,
    word           text,
    result         text,
    looked_at      timestamptz not null,
    primary key (wallet, statement_date)
);
create index statement_day_by_next on statement_day (next_at);
create index statement_day_by_date on statement_day (statement_date, wallet);

comment on table statement_day is 'What came of comparing a channel''s statement of a day with the log';
comment on column statement_day.wallet is 'alipay, wechat, wechat_v2';
comment on column statement_day.statement_date is 'The day, yyyy-mm-dd, as the channel counts days (Beijing)';
comment on column statement_day.state is 'open: not compared yet';
comment on column statement_day.tries is 'How often the channel was asked in vain';
comment on column statement_day.next_at is 'When it is asked next; null where it is not';
comment on column statement_day.word is 'Why there is nothing to compare with: the channel''s word';
comment on column statement_day.result is 'What came of it, as JSON; null before it was compared';
comment on column statement_day.looked_at is 'When the row was changed';
