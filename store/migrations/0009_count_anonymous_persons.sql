-- Counts faces without a named person apart from persons: such a face is one anonymous person, whom no list shows.
-- Locks collections for an instant: the column has a constant default. The release before counts an anonymous person
-- that it deletes as a person; it makes none, and lists none to delete.
-- works-from: 0008

alter table collections
    add column anonymous_count bigint not null default 0,
    add constraint collections_anonymous_count_positive check (anonymous_count >= 0);
