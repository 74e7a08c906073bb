-- Plain state of the storefront: accounts, sessions, persons' keys, the catalogue and the lease of order numbers.
-- Money is a whole number of the currency's smallest unit. Ids compare byte by byte (collation C), as in the other stores.

-- Something that is sold. Its prices stand in product_price and sku_price, version by version.
create table product (
    -- chosen by the operator, for instance course-rust; 1 to 128 visible ASCII characters
    product_id text collate "C" primary key check (length(product_id) between 1 and 128),
    -- what is sold: a seat in a course, a thing that is shipped, a file to download, an hour with a teacher
    kind text not null check (kind in ('course', 'goods', 'material', 'tutoring')),
    -- the category in which the shop shows it; null while it stands in none
    category_id text collate "C",
    -- what buyers read first
    title text not null check (title <> ''),
    -- what buyers read next; may be empty
    description text not null,
    -- title and description in lower case, for the shop's search
    search_text text not null,
    -- days for which a course may be used after it was opened; null without an end
    valid_days bigint check (valid_days > 0),
    -- when a course begins; null when it may be used at once
    starts_at timestamptz,
    -- whether it may be bought now
    on_sale bigint not null check (on_sale in (0, 1)),
    -- the version of its prices that holds now; 0 only inside the transaction that adds the product
    price_version bigint not null check (price_version >= 0),
    -- when an operator last wrote the product
    changed_at timestamptz not null
);

create index product_kind on product (kind, product_id);
create index product_category on product (category_id, product_id);

-- Every price that a product has ever had. Rows are only added.
create table product_price (
    -- the product
    product_id text collate "C" not null references product (product_id),
    -- counts from 1 within the product; one version covers the product and all its variants
    price_version bigint not null check (price_version > 0),
    -- the price of the product itself, in the smallest unit (fen)
    amount_minor bigint not null check (amount_minor >= 0),
    -- ISO 4217 code
    currency text not null check (length(currency) = 3),
    -- from when on this version held
    recorded_at timestamptz not null,
    primary key (product_id, price_version)
);

-- A variant of a product with stock of its own. It belongs to one product for ever.
create table sku (
    -- chosen by the operator; 1 to 128 visible ASCII characters
    sku_id text collate "C" primary key check (length(sku_id) between 1 and 128),
    -- the product of which it is a variant
    product_id text collate "C" not null references product (product_id),
    -- what tells it from the product's other variants, for instance a colour
    name text not null check (name <> '')
);

-- The variants that a version of a product's prices holds, with their prices. Rows are only added.
create table sku_price (
    -- the product
    product_id text collate "C" not null,
    -- the version, as in product_price
    price_version bigint not null,
    -- the variant
    sku_id text collate "C" not null references sku (sku_id),
    -- its place in the product's list of variants, from 0
    place bigint not null check (place >= 0),
    -- its price in the smallest unit (fen), in the currency of the product's price
    amount_minor bigint not null check (amount_minor >= 0),
    primary key (product_id, price_version, sku_id),
    foreign key (product_id, price_version) references product_price (product_id, price_version)
);

create function refuse_price_change() returns trigger language plpgsql as $$
begin
    raise exception using errcode = 'restrict_violation', message = 'a price that was shown is never changed or deleted';
end;
$$;
create trigger product_price_is_append_only before update or delete or truncate on product_price
    for each statement execute function refuse_price_change();
create trigger sku_price_is_append_only before update or delete or truncate on sku_price
    for each statement execute function refuse_price_change();

-- Someone, or another business system, that may sign in.
create table account (
    -- the sub of its tokens, and the buyer id of its orders
    account_id text collate "C" primary key check (length(account_id) between 1 and 128),
    -- what is typed to sign in; lower case
    username text collate "C" not null unique check (length(username) between 1 and 64),
    -- how pages address it
    display_name text not null,
    -- Argon2id, in the PHC string format
    password_hash text not null,
    -- when it was added
    created_at timestamptz not null
);

-- What an account may do.
create table account_role (
    -- the account
    account_id text collate "C" not null references account (account_id) on delete cascade,
    -- a word of the token's roles claim
    role text not null check (role in ('buyer', 'service', 'operator', 'auditor')),
    primary key (account_id, role)
);

-- One sign-in, and the family of refresh tokens that descends from it.
create table session (
    -- a random UUID
    session_id text collate "C" primary key,
    -- who signed in
    account_id text collate "C" not null references account (account_id) on delete cascade,
    -- when
    started_at timestamptz not null,
    -- when its tokens were last renewed; the sign-in at first
    refreshed_at timestamptz not null,
    -- when it was ended by signing out or by a refresh token that came twice; null while it lives
    revoked_at timestamptz
);

create index session_account on session (account_id);
create index session_age on session (refreshed_at);

-- Refresh tokens. Each is taken once.
create table refresh_token (
    -- SHA-256 of the token in base64url; the token itself is kept nowhere
    token_hash text collate "C" primary key,
    -- the family it belongs to
    session_id text collate "C" not null references session (session_id) on delete cascade,
    -- the jti of the access token that was given out with it
    access_token_id text collate "C" not null unique,
    -- when that access token ends by itself
    access_expires_at timestamptz not null,
    -- when it was given out
    issued_at timestamptz not null,
    -- when it ends by itself
    expires_at timestamptz not null,
    -- when it was taken; null while it can be
    used_at timestamptz
);

create index refresh_token_session on refresh_token (session_id);
create index refresh_token_expiry on refresh_token (expires_at);

-- Access tokens that are refused although they have not ended. Every process reads this table every few seconds.
create table revoked_token (
    -- the jti
    access_token_id text collate "C" primary key,
    -- when the token ends by itself, and with it the need for this row
    expires_at timestamptz not null
);

create index revoked_token_expiry on revoked_token (expires_at);

-- The keys under which persons' data is sealed in events and views. Erasing a key erases what it sealed.
create table person_key (
    -- a random UUID; what is sealed names it
    person_key_id text collate "C" primary key,
    -- the buyer whose data it seals
    person_id text collate "C" not null check (length(person_id) between 1 and 128),
    -- the key, sealed under the master key ring; null once erased
    sealed_key text,
    -- when it was made
    created_at timestamptz not null,
    -- when it was erased; null while it opens
    erased_at timestamptz,
    check ((sealed_key is null) = (erased_at is not null))
);

create unique index person_key_live on person_key (person_id) where erased_at is null;

-- Which process numbers orders with which worker number.
create table snowflake_worker (
    -- the ten bits inside the id
    worker bigint primary key check (worker between 0 and 1023),
    -- who holds it, for people to read
    holder text not null,
    -- a random UUID for each lease; null once given back
    lease_id text,
    -- the holder gives out no id of this time or before: an earlier holder may have
    started_after timestamptz not null,
    -- the lease's end: the holder gives out no id of a later time
    used_until timestamptz not null
);
