-- Begins to bind every row to its collection by the schema: a face, or a sample, names the collection of its person.
-- Also what other servers' clients need: faces without a named person, what they call a face's image, and access keys.
-- Locks collections, persons, faces and calibration_samples for an instant: columns are empty or have a constant
-- default, checks are not valid yet, and no row is written. The next migrations fill and validate.
-- works-from: 0005

alter table faces
    add column collection_pk bigint,
    add column external_image_id text collate "C",
    add column image_id uuid,
    add column image_face integer, -- the face's number in its image, from 0
    add constraint faces_collection_pk_set check (collection_pk is not null) not valid,
    add constraint faces_source_known check (source in ('server', 'external_trusted')) not valid,
    add constraint faces_image_whole check ((image_id is null) = (image_face is null) and image_face >= 0) not valid;

alter table calibration_samples
    add column collection_pk bigint,
    add constraint calibration_samples_collection_pk_set check (collection_pk is not null) not valid;

alter table persons
    add column is_anonymous boolean not null default false,
    add constraint persons_face_count_positive check (face_count >= 0) not valid;

alter table collections
    add constraint collections_counts_positive check (person_count >= 0 and face_count >= 0) not valid,
    add constraint collections_limits_positive check (capacity_rows > 0 and max_faces_per_person > 0) not valid,
    add constraint collections_load_policy_known check (load_policy in ('eager', 'lazy')) not valid,
    add constraint collections_search_profile_named check (search_profile ~ '^[a-z][a-z0-9_]{0,63}$') not valid;

-- The release before does not name the collection.
create function name_collection_of_person() returns trigger language plpgsql as $$
begin
    select collection_pk into new.collection_pk from persons where person_pk = new.person_pk;
    return new;
end
$$;

create trigger faces_name_collection before insert on faces
    for each row when (new.collection_pk is null) execute function name_collection_of_person();

create trigger calibration_samples_name_collection before insert on calibration_samples
    for each row when (new.collection_pk is null) execute function name_collection_of_person();

create table access_keys (
    key_id text collate "C" primary key,
    dialect text not null constraint access_keys_dialect_known check (dialect in ('compreface', 'rekognition')),
    -- Of the key itself where a client sends it; null where the secret is derived and never sent.
    sha256 bytea constraint access_keys_sha256_key unique constraint access_keys_sha256_size check (length(sha256) = 32),
    tenant text collate "C" not null,
    services text[] not null,
    scopes text[] not null,
    collections text[] not null, -- ids or globs
    description text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz
);

create index access_keys_tenant on access_keys (tenant, key_id);
