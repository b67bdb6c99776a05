CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;

COMMENT ON EXTENSION vector IS 'vector data type and ivfflat and hnsw access methods';

CREATE FUNCTION public.name_collection_of_person() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    select collection_pk into new.collection_pk from persons where person_pk = new.person_pk;
    return new;
end
$$;

CREATE TABLE public.access_keys (
    key_id text NOT NULL COLLATE pg_catalog."C",
    dialect text NOT NULL,
    sha256 bytea,
    tenant text NOT NULL COLLATE pg_catalog."C",
    services text[] NOT NULL,
    scopes text[] NOT NULL,
    collections text[] NOT NULL,
    description text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT access_keys_dialect_known CHECK ((dialect = ANY (ARRAY['compreface'::text, 'rekognition'::text]))),
    CONSTRAINT access_keys_sha256_size CHECK ((length(sha256) = 32))
);

CREATE TABLE public.calibration_samples (
    calibration_pk bigint NOT NULL,
    person_pk bigint NOT NULL,
    face_pk bigint NOT NULL,
    other_score real DEFAULT '-1'::integer NOT NULL,
    other_person_pk bigint,
    own_score real,
    collection_pk bigint NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.calibrations (
    calibration_pk bigint NOT NULL,
    calibration_id uuid NOT NULL,
    collection_pk bigint NOT NULL,
    contract_pk integer NOT NULL,
    person_count bigint NOT NULL,
    last_face_pk bigint DEFAULT 0 NOT NULL,
    faces_compared bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT calibrations_person_count_check CHECK ((person_count >= 0))
);

ALTER TABLE public.calibrations ALTER COLUMN calibration_pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.calibrations_calibration_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.collections (
    collection_pk bigint NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    description text NOT NULL,
    threshold double precision NOT NULL,
    contract_pk integer NOT NULL,
    detection jsonb NOT NULL,
    detection_revision integer DEFAULT 1 NOT NULL,
    search_profile text NOT NULL,
    search_revision integer DEFAULT 1 NOT NULL,
    capacity_rows bigint NOT NULL,
    max_faces_per_person bigint NOT NULL,
    load_policy text NOT NULL,
    save_face_crops boolean NOT NULL,
    metadata jsonb NOT NULL,
    person_count bigint DEFAULT 0 NOT NULL,
    face_count bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    calibration jsonb,
    anonymous_count bigint DEFAULT 0 NOT NULL,
    CONSTRAINT collections_anonymous_count_positive CHECK ((anonymous_count >= 0)),
    CONSTRAINT collections_counts_positive CHECK (((person_count >= 0) AND (face_count >= 0))),
    CONSTRAINT collections_limits_positive CHECK (((capacity_rows > 0) AND (max_faces_per_person > 0))),
    CONSTRAINT collections_load_policy_known CHECK ((load_policy = ANY (ARRAY['eager'::text, 'lazy'::text]))),
    CONSTRAINT collections_search_profile_named CHECK ((search_profile ~ '^[a-z][a-z0-9_]{0,63}$'::text)),
    CONSTRAINT collections_threshold_range CHECK (((threshold >= ('-1'::integer)::double precision) AND (threshold <= (1)::double precision)))
)
WITH (fillfactor='50');

ALTER TABLE public.collections ALTER COLUMN collection_pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.collections_collection_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.contracts (
    contract_pk integer NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    model_id text NOT NULL,
    model_version text NOT NULL,
    model_digest text NOT NULL,
    dimension integer NOT NULL,
    preprocessing_version text NOT NULL
);

ALTER TABLE public.contracts ALTER COLUMN contract_pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.contracts_contract_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.embeddings (
    face_pk bigint NOT NULL,
    contract_pk integer NOT NULL,
    collection_pk bigint NOT NULL,
    embedding public.vector(512) NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');
ALTER TABLE ONLY public.embeddings ALTER COLUMN embedding SET STORAGE PLAIN;

CREATE TABLE public.faces (
    face_pk bigint NOT NULL,
    face_id uuid NOT NULL,
    person_pk bigint NOT NULL,
    box_left double precision NOT NULL,
    box_top double precision NOT NULL,
    box_right double precision NOT NULL,
    box_bottom double precision NOT NULL,
    image_width integer NOT NULL,
    image_height integer NOT NULL,
    landmarks jsonb,
    detection_score double precision NOT NULL,
    quality jsonb NOT NULL,
    source text NOT NULL,
    crop bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    source_sha256 bytea,
    collection_pk bigint NOT NULL,
    external_image_id text COLLATE pg_catalog."C",
    image_id uuid,
    image_face integer,
    CONSTRAINT faces_image_whole CHECK ((((image_id IS NULL) = (image_face IS NULL)) AND (image_face >= 0))),
    CONSTRAINT faces_source_known CHECK ((source = ANY (ARRAY['server'::text, 'external_trusted'::text]))),
    CONSTRAINT faces_source_sha256_size CHECK ((length(source_sha256) = 32))
);
ALTER TABLE ONLY public.faces ALTER COLUMN crop SET STORAGE EXTERNAL;

ALTER TABLE public.faces ALTER COLUMN face_pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.faces_face_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.idempotency_keys (
    tenant text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    fingerprint text NOT NULL,
    note text NOT NULL,
    outcome jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.persons (
    person_pk bigint NOT NULL,
    collection_pk bigint NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    name text,
    external_id text COLLATE pg_catalog."C",
    metadata jsonb NOT NULL,
    face_count bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    is_anonymous boolean DEFAULT false NOT NULL,
    CONSTRAINT persons_face_count_positive CHECK ((face_count >= 0))
)
WITH (fillfactor='80');

ALTER TABLE public.persons ALTER COLUMN person_pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.persons_person_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    works_from integer
);

ALTER TABLE ONLY public.access_keys
    ADD CONSTRAINT access_keys_pkey PRIMARY KEY (key_id);

ALTER TABLE ONLY public.access_keys
    ADD CONSTRAINT access_keys_sha256_key UNIQUE (sha256);

ALTER TABLE ONLY public.calibration_samples
    ADD CONSTRAINT calibration_samples_pkey PRIMARY KEY (calibration_pk, person_pk);

ALTER TABLE ONLY public.calibrations
    ADD CONSTRAINT calibrations_calibration_id_key UNIQUE (calibration_id);

ALTER TABLE ONLY public.calibrations
    ADD CONSTRAINT calibrations_pkey PRIMARY KEY (calibration_pk);

ALTER TABLE ONLY public.collections
    ADD CONSTRAINT collections_pkey PRIMARY KEY (collection_pk);

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT contracts_id_key UNIQUE (id);

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT contracts_pkey PRIMARY KEY (contract_pk);

ALTER TABLE ONLY public.embeddings
    ADD CONSTRAINT embeddings_pkey PRIMARY KEY (face_pk, contract_pk);

ALTER TABLE ONLY public.faces
    ADD CONSTRAINT faces_face_id_key UNIQUE (face_id);

ALTER TABLE ONLY public.faces
    ADD CONSTRAINT faces_pkey PRIMARY KEY (face_pk);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (tenant, key);

ALTER TABLE ONLY public.persons
    ADD CONSTRAINT persons_id_key UNIQUE (collection_pk, id);

ALTER TABLE ONLY public.persons
    ADD CONSTRAINT persons_pkey PRIMARY KEY (person_pk);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

CREATE INDEX access_keys_tenant ON public.access_keys USING btree (tenant, key_id);

CREATE INDEX calibration_samples_face ON public.calibration_samples USING btree (face_pk);

CREATE INDEX calibration_samples_person ON public.calibration_samples USING btree (person_pk);

CREATE INDEX calibrations_collection ON public.calibrations USING btree (collection_pk, calibration_pk);

CREATE UNIQUE INDEX calibrations_in_collection ON public.calibrations USING btree (calibration_pk, collection_pk);

CREATE INDEX collections_deleted ON public.collections USING btree (collection_pk) WHERE (deleted_at IS NOT NULL);

CREATE UNIQUE INDEX collections_id_key ON public.collections USING btree (tenant, id) WHERE (deleted_at IS NULL);

CREATE INDEX embeddings_of_collection ON public.embeddings USING btree (collection_pk, contract_pk, face_pk);

CREATE UNIQUE INDEX faces_image ON public.faces USING btree (collection_pk, image_id, image_face) WHERE (image_id IS NOT NULL);

CREATE UNIQUE INDEX faces_in_collection ON public.faces USING btree (face_pk, collection_pk);

CREATE INDEX faces_of_collection ON public.faces USING btree (collection_pk, face_id);

CREATE INDEX faces_person ON public.faces USING btree (person_pk, face_id);

CREATE INDEX faces_source ON public.faces USING btree (source_sha256) WHERE (source_sha256 IS NOT NULL);

CREATE INDEX idempotency_keys_created_at ON public.idempotency_keys USING btree (created_at);

CREATE INDEX persons_external_id_any_case ON public.persons USING btree (collection_pk, lower(external_id)) WHERE (external_id IS NOT NULL);

CREATE UNIQUE INDEX persons_external_id_key ON public.persons USING btree (collection_pk, external_id) WHERE (external_id IS NOT NULL);

CREATE UNIQUE INDEX persons_in_collection ON public.persons USING btree (person_pk, collection_pk);

CREATE TRIGGER calibration_samples_name_collection BEFORE INSERT ON public.calibration_samples FOR EACH ROW WHEN ((new.collection_pk IS NULL)) EXECUTE FUNCTION public.name_collection_of_person();

CREATE TRIGGER faces_name_collection BEFORE INSERT ON public.faces FOR EACH ROW WHEN ((new.collection_pk IS NULL)) EXECUTE FUNCTION public.name_collection_of_person();

ALTER TABLE ONLY public.calibration_samples
    ADD CONSTRAINT calibration_samples_calibration_in_collection FOREIGN KEY (calibration_pk, collection_pk) REFERENCES public.calibrations(calibration_pk, collection_pk) ON DELETE CASCADE;

ALTER TABLE ONLY public.calibration_samples
    ADD CONSTRAINT calibration_samples_face_in_collection FOREIGN KEY (face_pk, collection_pk) REFERENCES public.faces(face_pk, collection_pk) ON DELETE CASCADE;

ALTER TABLE ONLY public.calibration_samples
    ADD CONSTRAINT calibration_samples_person_in_collection FOREIGN KEY (person_pk, collection_pk) REFERENCES public.persons(person_pk, collection_pk) ON DELETE CASCADE;

ALTER TABLE ONLY public.calibrations
    ADD CONSTRAINT calibrations_collection_pk_fkey FOREIGN KEY (collection_pk) REFERENCES public.collections(collection_pk) ON DELETE CASCADE;

ALTER TABLE ONLY public.calibrations
    ADD CONSTRAINT calibrations_contract_pk_fkey FOREIGN KEY (contract_pk) REFERENCES public.contracts(contract_pk);

ALTER TABLE ONLY public.collections
    ADD CONSTRAINT collections_contract_pk_fkey FOREIGN KEY (contract_pk) REFERENCES public.contracts(contract_pk);

ALTER TABLE ONLY public.embeddings
    ADD CONSTRAINT embeddings_contract_pk_fkey FOREIGN KEY (contract_pk) REFERENCES public.contracts(contract_pk);

ALTER TABLE ONLY public.embeddings
    ADD CONSTRAINT embeddings_face_in_collection FOREIGN KEY (face_pk, collection_pk) REFERENCES public.faces(face_pk, collection_pk) ON DELETE CASCADE;

ALTER TABLE ONLY public.faces
    ADD CONSTRAINT faces_person_in_collection FOREIGN KEY (person_pk, collection_pk) REFERENCES public.persons(person_pk, collection_pk) ON DELETE CASCADE;

ALTER TABLE ONLY public.persons
    ADD CONSTRAINT persons_collection_pk_fkey FOREIGN KEY (collection_pk) REFERENCES public.collections(collection_pk);
