-- Remembers which file a face was found in, so that an import knows what is there already.
-- Locks faces against reads and writes for an instant (a new column without a default), then against writes while the
-- index is built, which reads the table once and holds no entry yet: some 0.2 s for a million faces.
-- works-from: 0003

alter table faces add column source_sha256 bytea constraint faces_source_sha256_size check (length(source_sha256) = 32);

create index faces_source on faces (source_sha256) where source_sha256 is not null;
