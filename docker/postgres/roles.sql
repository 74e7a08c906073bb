-- The roles of Paystream on Postgres, made once by a superuser in the database that it will use. docs/operations.md says what
-- for. Variables: owner_password, log_password, views_password, state_password.

-- Brings the tables forward: paystream migrate logs in as this one, and nothing else does.
create role paystream_owner login password :'owner_password';
-- What running programs log in as, one role an area. paystream migrate grants each what it needs: of the log to read and to
-- append, of the state everything to rows. The views are the third one's own, since making one again exchanges tables.
create role paystream_log login password :'log_password';
create role paystream_views login password :'views_password';
create role paystream_state login password :'state_password';
-- Only a member of a role may give it tables.
grant paystream_views to paystream_owner;

select current_database() as database \gset
revoke all on database :"database" from public;
grant connect on database :"database" to paystream_log, paystream_views, paystream_state;
-- It makes the schemas.
grant connect, create on database :"database" to paystream_owner;
