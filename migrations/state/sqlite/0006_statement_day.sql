-- What came of comparing a channel's statement of a day with the log: a row for each day of a wallet.
create table statement_day (
    wallet         text    not null,         -- alipay, wechat, wechat_v2
    statement_date text    not null,         -- the day, yyyy-mm-dd, as the channel counts days (Beijing)
    state          text    not null check (state in ('open', 'matched', 'different', 'missing')), -- open: not compared yet
    tries          integer not null check (tries >= 0), -- how often the channel was asked in vain
    next_at        integer,                  -- when it is asked next; microseconds, UTC; null where it is not
    word           text,                     -- why there is nothing to compare with: the channel's word
    result         text,                     -- what came of it, as JSON; null before it was compared
    looked_at      integer not null,         -- when the row was changed; microseconds, UTC
    primary key (wallet, statement_date)
) strict;
create index statement_day_by_next on statement_day (next_at);
create index statement_day_by_date on statement_day (statement_date, wallet);
