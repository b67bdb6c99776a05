-- Reads a collection's embeddings by age: what is new since a replica last read their signs, without the rest.
-- Locks embeddings against writes while the index is built, some 2 s for a million faces; then for all, for an instant.
-- works-from: 0001

create index embeddings_of_collection on embeddings (collection_pk, contract_pk, face_pk);
drop index embeddings_collection;
