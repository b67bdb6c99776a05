-- Ends what the composite keys replace. The checks that were validated spare PostgreSQL a scan for `not null`.
-- Locks faces, persons, embeddings, calibrations and calibration_samples for an instant.
-- works-from: 0005

alter table faces
    alter column collection_pk set not null,
    drop constraint faces_collection_pk_set,
    drop constraint faces_person_pk_fkey;

alter table embeddings
    drop constraint embeddings_face_pk_fkey,
    drop constraint embeddings_collection_pk_fkey; -- the face's collection is the person's, which refers to one

alter table calibration_samples
    alter column collection_pk set not null,
    drop constraint calibration_samples_collection_pk_set,
    drop constraint calibration_samples_calibration_pk_fkey,
    drop constraint calibration_samples_person_pk_fkey,
    drop constraint calibration_samples_face_pk_fkey;
