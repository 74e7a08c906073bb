-- Notifications as they came from the channels, sealed, each with what was made of it.
create table notice_inbox (
    notice_inbox_id   integer primary key,      -- rises with each kept notice
    wallet            text    not null,         -- alipay, wechat_pay
    repeat_key        text,                     -- the channel's id and our verdict, for genuine notices; repeats are counted
    is_authentic      integer not null check (is_authentic in (0, 1)), -- whether the signature holds
    out_trade_no      text,                     -- our number in it, where it could be read
    verdict           text    not null,         -- one word for what was made of it
    sealed            blob    not null,         -- headers and body under the master key
    byte_count        integer not null,         -- length of sealed, for the quota of unverified ones
    times_seen        integer not null,         -- how often it came
    first_received_at integer not null,         -- microseconds, UTC
    last_received_at  integer not null,         -- microseconds, UTC
    unique (wallet, repeat_key)
) strict;
create index notice_inbox_by_number on notice_inbox (out_trade_no);
create index notice_inbox_unverified on notice_inbox (is_authentic, notice_inbox_id);
