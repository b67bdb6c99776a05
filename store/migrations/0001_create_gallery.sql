-- The first schema: collections of persons, their faces, and the embeddings that are searched.
-- Locks nothing that exists: every table is new.
--
-- Counts and metadata change often, embeddings never: they are inserted and deleted only, so that an update of
-- a person does not rewrite 2 KB vectors nor touch an HNSW index.
-- works-from: 0001

create table contracts (
    contract_pk integer generated always as identity primary key,
    id text collate "C" not null constraint contracts_id_key unique,
    model_id text not null,
    model_version text not null,
    model_digest text not null,
    dimension integer not null,
    preprocessing_version text not null
);

-- A force-deleted collection is only marked, and its faces are removed in chunks: a million rows do not fit one
-- statement timeout. The marked row frees its id at once.
create table collections (
    collection_pk bigint generated always as identity primary key,
    tenant text collate "C" not null,
    id text collate "C" not null,
    name text not null,
    description text not null,
    threshold double precision not null constraint collections_threshold_range check (threshold between -1 and 1),
    contract_pk integer not null references contracts,
    detection jsonb not null,
    detection_revision integer not null default 1,
    search_profile text not null,
    search_revision integer not null default 1,
    capacity_rows bigint not null,
    max_faces_per_person bigint not null,
    load_policy text not null,
    save_face_crops boolean not null,
    metadata jsonb not null,
    person_count bigint not null default 0,
    face_count bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
) with (fillfactor = 50); -- every enrolment updates the counts: room for HOT updates on the page

create unique index collections_id_key on collections (tenant, id) where deleted_at is null;
create index collections_deleted on collections (collection_pk) where deleted_at is not null;

create table persons (
    person_pk bigint generated always as identity primary key,
    collection_pk bigint not null references collections,
    id text collate "C" not null,
    name text,
    external_id text collate "C",
    metadata jsonb not null,
    face_count bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint persons_id_key unique (collection_pk, id)
) with (fillfactor = 80);

create unique index persons_external_id_key on persons (collection_pk, external_id) where external_id is not null;

create table faces (
    face_pk bigint generated always as identity primary key,
    face_id uuid not null constraint faces_face_id_key unique,
    person_pk bigint not null references persons on delete cascade,
    box_left double precision not null,
    box_top double precision not null,
    box_right double precision not null,
    box_bottom double precision not null,
    image_width integer not null,
    image_height integer not null,
    landmarks jsonb,
    detection_score double precision not null,
    quality jsonb not null,
    source text not null,
    crop bytea,
    created_at timestamptz not null default now()
);

alter table faces alter column crop set storage external; -- a JPEG does not compress

create index faces_person on faces (person_pk, face_id);

create table embeddings (
    face_pk bigint not null references faces on delete cascade,
    contract_pk integer not null references contracts,
    collection_pk bigint not null references collections,
    embedding vector(512) not null,
    primary key (face_pk, contract_pk)
) with (
    autovacuum_vacuum_scale_factor = 0.02, -- dead rows stay in an HNSW graph, and cost its scans, until vacuum
    autovacuum_analyze_scale_factor = 0.02
);

-- 2,056 bytes are over the TOAST limit of about 2,000: left to itself PostgreSQL stores each vector out of line,
-- and an exact scan of 10,000 takes 21.7 ms instead of 5.7 ms.
alter table embeddings alter column embedding set storage plain;

create index embeddings_collection on embeddings (collection_pk, contract_pk);

create table idempotency_keys (
    tenant text collate "C" not null,
    key text collate "C" not null,
    fingerprint text not null,
    note text not null,
    outcome jsonb,
    created_at timestamptz not null default now(),
    primary key (tenant, key)
);

create index idempotency_keys_created_at on idempotency_keys (created_at);
