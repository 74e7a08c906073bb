-- Notifications as they came from the channels, sealed, each with what was made of it.
create table notice_inbox (
    notice_inbox_id   bigint      generated always as identity primary key,
    wallet            text        not null,
    repeat_key        text,
    is_authentic      bigint      not null check (is_authentic in (0, 1)),
    out_trade_no      text,
    verdict           text        not null,
    sealed            bytea       not null,
    byte_count        bigint      not null,
    times_seen        bigint      not null,
    first_received_at timestamptz not null,
    last_received_at  timestamptz not null,
    unique (wallet, repeat_key)
);
comment on column notice_inbox.notice_inbox_id is 'rises with each kept notice';
comment on column notice_inbox.wallet is 'alipay, wechat_pay';
comment on column notice_inbox.repeat_key is 'the channel''s id and our verdict, for genuine notices; repeats are counted';
comment on column notice_inbox.is_authentic is 'whether the signature holds: 1 or 0';
comment on column notice_inbox.out_trade_no is 'our number in it, where it could be read';
comment on column notice_inbox.verdict is 'one word for what was made of it';
comment on column notice_inbox.sealed is 'headers and body under the master key';
comment on column notice_inbox.byte_count is 'length of sealed, for the quota of unverified ones';
comment on column notice_inbox.times_seen is 'how often it came';
comment on column notice_inbox.first_received_at is 'when it came first';
comment on column notice_inbox.last_received_at is 'when it came last';
create index notice_inbox_by_number on notice_inbox (out_trade_no);
create index notice_inbox_unverified on notice_inbox (is_authentic, notice_inbox_id);
