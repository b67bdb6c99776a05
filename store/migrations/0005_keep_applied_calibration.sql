-- What scores mean in a collection, as its calibration found it and somebody applied it.
-- Locks collections for an instant: the column is empty, and no row is written.
-- works-from: 0004

alter table collections add column calibration jsonb;
