-- Keeps what a calibration has found so far: the best score of each sampled person over everybody else.
-- Locks nothing that exists: every table is new. A person, or a face, that is deleted takes its sample along.
-- works-from: 0002

create table calibrations (
    calibration_pk bigint generated always as identity primary key,
    calibration_id uuid not null constraint calibrations_calibration_id_key unique,
    collection_pk bigint not null references collections on delete cascade,
    contract_pk integer not null references contracts,
    person_count bigint not null check (person_count >= 0),
    last_face_pk bigint not null default 0, -- all faces up to this key have been compared
    faces_compared bigint not null default 0,
    started_at timestamptz not null default now(),
    finished_at timestamptz
);

create index calibrations_collection on calibrations (collection_pk, calibration_pk);

create table calibration_samples (
    calibration_pk bigint not null references calibrations on delete cascade,
    person_pk bigint not null references persons on delete cascade,
    face_pk bigint not null references faces on delete cascade,
    other_score real not null default -1, -- the best of another person
    other_person_pk bigint,
    own_score real, -- the best of another face of the person, null while there is none
    primary key (calibration_pk, person_pk)
) with (fillfactor = 50); -- scores change while the faces are compared

create index calibration_samples_person on calibration_samples (person_pk);
create index calibration_samples_face on calibration_samples (face_pk);
